"""What a script raised, as data: type, text, line, and the frames of the traceback that are the script's own."""

import json
import sys

from _tabpy_worker.scripts import FUNCTION_NAME

MAX_MESSAGE_CHARACTERS = 65536
MAX_FRAMES = 50


class MissingResponse(KeyError):
    """A script read `response` of a failed `tabpy.query`; `cause` tells why that failed."""

    def __init__(self, cause):
        super().__init__("response")
        self.cause = cause


def describe(error, script=None):
    """JSON bytes for a `raised` frame.

    Members: `type`, `message`, `line` (in the user's script, or null), `frames` (outermost first, each `line`,
    `function`, `text`), `interpreter` for a missing module, `cause` for a failed `tabpy.query`.
    """
    message = _text_of(error)
    frames = _own_frames(error, script)
    line = frames[-1]["line"] if frames else None
    if isinstance(error, SyntaxError) and not frames:
        line = error.lineno
    raised = {"type": type(error).__name__, "message": message, "line": line, "frames": frames}
    if isinstance(error, ModuleNotFoundError):
        raised["interpreter"] = sys.executable
    if isinstance(error, MissingResponse):
        raised["cause"] = error.cause
    return json.dumps(raised).encode("ascii")


def short_text(error):
    """`Type : text` of an exception."""
    return "%s : %s" % (type(error).__name__, _text_of(error))


def describe_not_loaded(error):
    """JSON bytes for a `raised` frame: the archive of a function can't be loaded."""
    return json.dumps({"type": type(error).__name__, "message": _text_of(error), "line": None, "frames": [],
                       "isNotLoaded": True}).encode("ascii")


def _text_of(error):
    try:
        text = str(error)
    except BaseException as failure:  # a script's own __str__ may raise anything
        return "<the text of this %s is not available: its __str__ raised %s>" % (
            type(error).__name__, type(failure).__name__)
    if len(text) > MAX_MESSAGE_CHARACTERS:
        return text[:MAX_MESSAGE_CHARACTERS] + "... (%d characters)" % len(text)
    return text


def _own_frames(error, script):
    if script is None:
        return []
    own = script.code_ids()
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if id(code) in own:
            places.append((trace.tb_lineno, "<script>" if code.co_name == FUNCTION_NAME else code.co_name))
        trace = trace.tb_next
    if len(places) > MAX_FRAMES:  # a recursion: both ends show where it began and where it stopped
        places = places[:MAX_FRAMES // 2] + places[-MAX_FRAMES // 2:]
    return [{"line": line, "function": name, "text": script.line_text(line)} for line, name in places]


def describe_rejection(rejected):
    """JSON bytes for a `rejected` frame: `message` and `info` of the answer."""
    return json.dumps({"message": rejected.message, "info": rejected.info}).encode("ascii")
