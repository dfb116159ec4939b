"""Calls of deployed functions: for POST /query/{name}, and for `tabpy.query` inside a script (tabpy_object.py).

Both go through `call`, so that their answers are the same. Arguments and results are converted to what JSON can
carry, even where no JSON is sent: a function must not see more from a script than from a dashboard.
"""

import hashlib
import json
import uuid

from _tabpy_worker import json_writer
from _tabpy_worker.requests import MalformedJson, Rejected, read_json

NO_OBJECT = "RuntimeError : Input data must be a dictionary"
NO_DATA = 'RuntimeError : Input data must be a dictionary with a key called "data"'
WRONG_DATA = "Query parameter needs to be a dictionary or a list. Given value is of type %s"
QUERY_FAILED = "QueryFailed"
NOT_LOADED = "There is no query object associated to the endpoint: %s"
MAX_QUOTED_CHARACTERS = 200


def parse_query(body, orjson=None):
    """(positional arguments, keyword arguments) of a request's body.

    Raises Rejected; with the info QUERY_FAILED when only the type of `data` is wrong, which TabPy answers as it answers
    a function that fails.
    """
    if not len(body):
        raise Rejected("Input body cannot be empty")
    try:
        request = read_json(body, orjson)
    except MalformedJson as error:
        raise Rejected(str(error)) from None
    if type(request) is not dict:
        raise Rejected(NO_OBJECT)
    if "data" not in request:
        raise Rejected(NO_DATA)
    if "method" in request:
        return (), {"method": request["method"], "data": request["data"]}
    data = request["data"]
    if type(data) is dict:
        return (), data
    if type(data) is list:
        return data, {}
    raise Rejected(WRONG_DATA % type(data), QUERY_FAILED)


def call(query_object, arguments, keywords, orjson=None):
    """JSON bytes of the function's result. Raises what it raises, and TypeError when JSON can't represent the result.
    """
    value = query_object.query(*arguments, **keywords)
    try:
        return json_writer.encode(value, orjson)
    except TypeError as error:
        raise TypeError("Result from object query is not json serializable: %s" % _quote(value)) from error


def answer(response, model, call_id):
    """JSON bytes of the answer of /query."""
    return b'{"response": %b, "version": %d, "model": %b, "uuid": %b}' % (
        response, model["version"], json.dumps(model["name"]).encode("ascii"), json.dumps(call_id).encode("ascii"))


def etag(response):
    """A quoted hash of a response, for the header of that name."""
    return '"%s"' % hashlib.md5(response, usedforsecurity=False).hexdigest()


def as_json(value, orjson=None):
    """`value` after encoding to JSON and decoding, which keep NaN and infinities as Python's own `json` does."""
    return read_json(json_writer.encode(value, orjson, keep_nan=True), orjson)


def reply(response, model):
    """The answer of /query as a script sees it."""
    return {"response": response, "version": model["version"], "model": model["name"], "uuid": str(uuid.uuid4())}


def failure(name, error):
    """Message and info of a query that failed; `error` is text, `Type : text` for what was raised."""
    return {"message": "Error querying function '%s'" % name,
            "info": {"uri": name, "error": error, "type": QUERY_FAILED}}


def _quote(value):
    try:
        text = str(value)
    except BaseException as error:
        return "<%s whose __str__ raised %s>" % (type(value).__name__, type(error).__name__)
    return text if len(text) <= MAX_QUOTED_CHARACTERS else text[:MAX_QUOTED_CHARACTERS] + "..."
