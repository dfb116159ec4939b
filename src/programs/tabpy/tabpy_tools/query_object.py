"""What an archive contains: an object with a `query` method that describes itself."""

import abc

NO_DOCSTRING = "-- no docstring found in query function --"


class QueryObject(abc.ABC):
    """Base of everything that can be deployed.

    Derive from it when a function is not enough, for a model that keeps something between its queries say.

    Parameters
    ----------
    description : str, optional
        One line on what it does.
    """

    def __init__(self, description=""):
        self.description = description

    def get_description(self):
        """The one line on what it does, as a str."""
        return self.description

    @abc.abstractmethod
    def query(self, *args, **kwargs):
        """Answer a query; what it returns must be of types that JSON has."""

    def get_docstring(self):
        """The long text on what it does and takes.

        Returns
        -------
        str
            The docstring of `query`, or a sentence that says that there is none.
        """
        return self.query.__doc__ or NO_DOCSTRING

    def get_methods(self):
        """The methods that a client may call, as a list of dicts."""
        return [{"method": "query"}]
