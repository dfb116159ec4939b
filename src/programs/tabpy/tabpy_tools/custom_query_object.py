"""The class that every archive of a deployed function names. Archives made by TabPy's own client name it too, so
its module, its name and its two attributes stay as they are.
"""

from tabpy.tabpy_tools.query_object import NO_DOCSTRING, QueryObject


class CustomQueryObject(QueryObject):
    """A deployed function.

    Parameters
    ----------
    query : callable
        The function.
    description : str, optional
        One line on what it does.

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

    def query(self, *args, **kwargs):
        """Call the function with these arguments; what it raises goes through unchanged."""
        return self.custom_query(*args, **kwargs)

    def get_docstring(self):
        """The function's docstring.

        Returns
        -------
        str
            As it is written, or a sentence that says that there is none.
        """
        doc = getattr(self.custom_query, "__doc__", None)
        return doc if isinstance(doc, str) and doc else NO_DOCSTRING
