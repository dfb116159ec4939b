"""POST /evaluate: from the bytes of a request to a script that can run.

Bodies are read with `json`, or faster with `orjson` where that Python has it, unless the result could differ.
"""

import json

from _tabpy_worker.scripts import EmptyScript

# Longer numbers may be integers that orjson turns into floats: 18 digits always fit into 64 bits.
_LONG_NUMBER = b"0" * 19
_PIECE = 16 * 1024
_DIGITS_ONLY = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_ARGUMENT_NAMES = {count: tuple("_arg%d" % (at + 1) for at in range(count)) for count in range(17)}


class Rejected(Exception):
    """The request is malformed; `message` and `info` are the members of the answer."""

    def __init__(self, message, info=None):
        super().__init__(message)
        self.message = message
        self.info = {} if info is None else info


class MalformedJson(Exception):
    """A body is not JSON; the text is `Type : text` of the error that `json` raises."""


def read_json(body, orjson=None):
    """The value of a body. Raises MalformedJson."""
    if orjson is not None:
        if not _has_long_number(body):
            try:
                return orjson.loads(body)
            except ValueError:
                pass  # NaN literals, lone surrogates, a byte order mark: json decides, and raises the error
    try:
        text = str(body, "utf-8")
        if text.startswith("\ufeff"):
            text = text[1:]
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        kind = type(error).__name__
        raise MalformedJson("%s : %s" % (kind, error)) from None


def _has_long_number(body):
    """Whether the body has a run of digits that may be an integer of more than 64 bits."""
    for start in range(0, len(body), _PIECE):  # piece by piece: faster, as each fits into the processor's cache
        piece = bytes(body[start:start + _PIECE + len(_LONG_NUMBER) - 1])
        if _LONG_NUMBER in piece.translate(_DIGITS_ONLY):
            return True
    return False


def parse_evaluate(body, scripts, orjson=None):
    """(compiled script, arguments in order) of a request's body.

    Raises Rejected for a malformed request, and whatever compiling the script raises.
    """
    try:
        request = read_json(body, orjson)
    except MalformedJson as error:
        raise Rejected("Error processing script", str(error)) from None
    text = request.get("script") if type(request) is dict else None
    if text is None:
        raise Rejected("Script is empty.")
    if type(text) is not str:
        raise Rejected("Script must be text.")
    data = request.get("data")
    if data is None:
        data = {}
    if type(data) is not dict:
        raise Rejected("Script parameters need to be provided as a dictionary.")
    names = _argument_names(len(data))
    try:
        arguments = [data[name] for name in names]
    except KeyError:
        raise Rejected("Variables names should follow the format _arg1, _arg2, _argN") from None
    try:
        return scripts.get(text, names), arguments
    except EmptyScript:
        raise Rejected("Script is empty.") from None


def _argument_names(count):
    names = _ARGUMENT_NAMES.get(count)
    return names if names is not None else tuple("_arg%d" % (at + 1) for at in range(count))
