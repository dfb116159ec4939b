"""The `tabpy` that a script sees."""

from _tabpy_worker.failures import MissingResponse


class FailedReply(dict):
    """The answer of a `tabpy.query` that failed: an ordinary error body without `response`."""

    def __missing__(self, key):
        if key == "response":
            raise MissingResponse(self.get("info"))
        raise KeyError(key)


class TabPy:
    """Calls deployed functions from scripts."""

    def query(self, name, /, *args, **kwargs):
        """Call a deployed function with positional or with keyword arguments.

        Returns the whole answer of `/query/{name}`: a dict with `response`, or with `message` and `info` when
        the function is not there or failed.
        """
        return FailedReply(message="UnknownURI", info="Endpoint '%s' does not exist" % (name,))
