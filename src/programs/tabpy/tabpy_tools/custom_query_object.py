"""The class that every archive of a deployed function refers to. Archives made by TabPy's own client do too, so its
module, its name and its two attributes must stay as they are.
"""

from tabpy.tabpy_tools.query_object import NO_DOCSTRING, QueryObject


class CustomQueryObject(QueryObject):
    """A deployed function.

    Parameters
    ----------
    query : callable
        The function.
    description : str, optional
        One line about what it does.

    Raises
    ------
    TypeError
        `query` can't be called.

    Attributes
    ----------
    custom_query : callable
    description : str
    """

    def __init__(self, query, description=""):
        if not callable(query):
            raise TypeError("query %s: expected a function" % type(query).__name__)
        super().__init__(description)
        self.custom_query = query

    def query(self, /, *args, **kwargs):
        """Call the function with these arguments, `self` too if it has one; its exceptions propagate."""
        return self.custom_query(*args, **kwargs)

    def get_docstring(self):
        """The function's docstring.

        Returns
        -------
        str
            As written in the source, or a sentence that tells that there is none.
        """
        doc = getattr(self.custom_query, "__doc__", None)
        return doc if isinstance(doc, str) and doc else NO_DOCSTRING
