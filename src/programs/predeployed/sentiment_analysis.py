"""Sentiment analysis, by nltk's VADER."""


def make():
    """The function, with nltk's lexicon in it: the server needs nltk, but not the lexicon.

    Raises
    ------
    LookupError
        This machine doesn't have the lexicon.
    """
    from nltk.sentiment.vader import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()

    def SentimentAnalysis(_arg1, library="nltk"):
        """Rates how positive each text is.

        Parameters
        ----------
        _arg1 : list of str
            The texts; a null gives a null.
        library : str
            `nltk`, or `textblob` where the server has it.

        Returns
        -------
        list of float
            From -1, very negative, to 1, very positive.
        """
        texts = [_arg1] if isinstance(_arg1, str) else _arg1
        if not isinstance(texts, (list, tuple)):
            raise ValueError("_arg1 %.50r: expected a list of text" % (_arg1,))
        for text in texts:
            if text is not None and not isinstance(text, str):
                raise ValueError("_arg1 contains %.50r: expected text" % (text,))
        if library == "nltk":
            def score(text):
                return analyzer.polarity_scores(text)["compound"]
        elif library == "textblob":
            try:
                from textblob import TextBlob
            except ImportError:
                raise ImportError("library 'textblob' is not installed on the server: expected 'nltk'") from None

            def score(text):
                return TextBlob(text).sentiment.polarity
        else:
            raise ValueError("library %.50r: expected 'nltk' or 'textblob'" % (library,))
        return [None if text is None else score(text) for text in texts]

    return SentimentAnalysis
