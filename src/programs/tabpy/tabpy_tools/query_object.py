"""What an archive contains: an object with a `query` method that describes itself."""

import abc

NO_DOCSTRING = "-- no docstring found in query function --"


class QueryObject(abc.ABC):
    """Base of everything that can be deployed.

    Derive from it when a function is not enough, for example for a model that keeps state between its queries.

    Parameters
    ----------
    description : str, optional
        One line about what it does.
    """

    def __init__(self, description=""):
        self.description = description

    def get_description(self):
        """The one line about what it does, as a str."""
        return self.description

    @abc.abstractmethod
    def query(self, *args, **kwargs):
        """Answer a query; the result must be of types that JSON can represent."""

    def get_docstring(self):
        """The long text about what it does and its parameters.

        Returns
        -------
        str
            The docstring of `query`, or a sentence that tells that there is none.
        """
        return self.query.__doc__ or NO_DOCSTRING

    def get_methods(self):
        """The methods that a client may call, as a list of dicts."""
        return [{"method": "query"}]
