"""The `tabpy` that a script sees: `tabpy.query` calls deployed functions in this same process.

The server resolves names to archives. Its answers stay valid while the call's `revision`, that of the server's
registry, is the same.
"""

from _tabpy_worker import errors, queries
from _tabpy_worker.requests import read_json
from _tabpy_worker.models import NotLoaded


class FailedReply(dict):
    """The answer of a `tabpy.query` that failed: an ordinary error body without `response`."""

    def __missing__(self, key):
        if key == "response":
            raise errors.MissingResponse(self._cause())
        raise KeyError(key)

    def _cause(self):
        info = self.get("info")
        return "%s: %s" % (self.get("message"), info["error"]) if isinstance(info, dict) else info


class Endpoints:
    """The server's resolutions of names, cached per revision. Names without an archive are resolved each time."""

    def __init__(self, ask):
        self._ask = ask
        self._revision = None
        self._known = {}

    def start_call(self, revision):
        """Forget resolutions of another revision."""
        if revision != self._revision:
            self._revision = revision
            self._known.clear()

    def resolve(self, name):
        """The `Resolution` of model.ts: `kind` is "model", "unknown" or "unusable"."""
        found = self._known.get(name)
        if found is None:
            found = self._ask(name)
            if found["kind"] == "model":
                self._known[name] = found
        return found

    def forget(self, name):
        self._known.pop(name, None)


class TabPy:
    """Calls deployed functions from scripts."""

    def __init__(self, endpoints, models, orjson):
        self._endpoints = endpoints
        self._models = models
        self._orjson = orjson

    def query(self, /, *args, **kwargs):
        """Call a deployed function: its name, and then its arguments by position or by keyword.

        A keyword `name` is an argument of the function, or its name when that is not given by position.

        Returns the whole answer of `/query/{name}`: a dict with `response`, or with `message` and `info` when
        the function doesn't exist or failed. Keyword arguments beside positional ones are ignored, as in TabPy.
        Raises TypeError without a name, and for arguments that JSON can't represent.
        """
        if args:
            name, *args = args
        elif "name" in kwargs:
            name = kwargs.pop("name")
        else:
            raise TypeError("TabPy.query() missing 1 required positional argument: 'name'")
        data = queries.as_json(args if args or not kwargs else kwargs, self._orjson)
        try:
            query_object, model = self._find(name)
        except _Unavailable as unavailable:
            return FailedReply(unavailable.reply)
        positional, keyword = (data, {}) if type(data) is list else ((), data)
        try:
            response = queries.call(query_object, positional, keyword, self._orjson)
        except BaseException as error:  # SystemExit too: it is the function's failure, not the script's
            return FailedReply(queries.failure(model["name"], errors.short_text(error)))
        return queries.reply(read_json(response, self._orjson), model)

    def _find(self, name):
        """(query object, model) of a name. Raises _Unavailable."""
        for is_last in (False, True):
            found = self._endpoints.resolve(name)
            if found["kind"] == "unusable":
                raise _Unavailable(queries.failure(found["name"], found["reason"]))
            if found["kind"] == "unknown":
                raise _Unavailable({"message": "UnknownURI", "info": "Endpoint '%s' does not exist" % (name,)})
            model = found["model"]
            try:
                return self._models.get(model), model
            except NotLoaded:
                # The archive may have been replaced while a long script ran: resolve the name once more.
                self._endpoints.forget(name)
                if is_last:
                    raise _Unavailable(
                        queries.failure(model["name"], queries.NOT_LOADED % model["name"])) from None


class _Unavailable(Exception):
    """A function can't be called; `reply` tells why."""

    def __init__(self, reply):
        super().__init__(reply["message"])
        self.reply = reply
