"""The text of the log line about a script: the function that it becomes, as TabPy writes it.

It travels in the header of the reply. For a call that never replies the server reads it out of the request
(src/http/function-text.ts).
"""

import json

MAX_CHARACTERS = 8192


def encode_function(text, argument_names):
    """JSON bytes, on one line, of `def _user_script(tabpy, _arg1): ...` with the script's lines indented."""
    lines = _shortened(text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    head = _shortened("def _user_script(%s):" % ", ".join(("tabpy", *argument_names)))
    return json.dumps(_shortened("\n ".join([head, *lines]))).encode("ascii")


def _shortened(text):
    return text if len(text) <= MAX_CHARACTERS else "%s... (%d characters)" % (text[:MAX_CHARACTERS - 40], len(text))
