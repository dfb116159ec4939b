"""What the log says about a script before it runs: the function that it becomes, as TabPy words it.

A write of its own for each call costs a short one a good part of its time. So the function of a script that was quick
the last time goes out with its answer, or with the first thing that it prints. Should it never answer, because it hangs
or ends its process, the keeper (reaper.py) says it: they share a piece of memory.
"""

import json
import os
import struct

MAX_CHARACTERS = 8192
# A call of at most this time is quick.
QUICK_MICROSECONDS = 5000
# Functions that the server knows by a number instead of their text.
MAX_NUMBERED = 512

_CALL = struct.Struct("<Q")  # 0 when nothing is left to be said
_LENGTH = struct.Struct("<I")
_TEXT_AT = _CALL.size + _LENGTH.size
# Every character may be two escapes of six bytes.
MEMORY_BYTES = 12 * MAX_CHARACTERS + 16384


def encode_function(text, argument_names):
    """JSON bytes, on one line, of `def _user_script(tabpy, _arg1): ...` with the script's lines indented."""
    lines = _shortened(text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    head = _shortened("def _user_script(%s):" % ", ".join(("tabpy", *argument_names)))
    return json.dumps(_shortened("\n ".join([head, *lines]))).encode("ascii")


def _shortened(text):
    return text if len(text) <= MAX_CHARACTERS else "%s... (%d characters)" % (text[:MAX_CHARACTERS - 40], len(text))


def share_memory():
    """Memory that this process and those that it forks have in common, or None."""
    try:
        import mmap
        return mmap.mmap(-1, MEMORY_BYTES)
    except Exception:
        return None


def say_last_words(memory, fd, marker):
    """Write what the worker could not say any more, for the log."""
    if memory is None:
        return
    (call,), (length,) = _CALL.unpack_from(memory), _LENGTH.unpack_from(memory, _CALL.size)
    if call and 0 < length <= MEMORY_BYTES - _TEXT_AT:
        _write(fd, marker, call, memory[_TEXT_AT:_TEXT_AT + length])


def _write(fd, marker, call, encoded):
    try:
        os.write(fd, b"\n%s function %d %s\n" % (marker, call, encoded))
    except OSError:
        pass  # a script closed the descriptor


class Announcer:
    """Says which function a call evaluates, at the latest when the call ends."""

    def __init__(self, fd, marker, memory):
        self._fd = fd
        self._marker = marker
        self._memory = memory
        self._stored = None  # the script whose function is in the memory
        self._script = None
        self._call = 0  # the call whose function is still to be said
        self._round = 1
        self._count = 0

    def start_call(self, number, script):
        self._script = script
        if not script.is_quick or self._memory is None:
            _write(self._fd, self._marker, number, script.announcement())
            return
        if script is not self._stored:
            encoded = script.announcement()
            self._memory[_CALL.size:_TEXT_AT + len(encoded)] = _LENGTH.pack(len(encoded)) + encoded
            self._stored = script
        _CALL.pack_into(self._memory, 0, number)
        self._call = number

    def say(self):
        """Say it now, unless it has been said."""
        if self._call:
            _write(self._fd, self._marker, self._call, self._script.announcement())
            self._forget()

    def end_call(self, took):
        """What has not been said yet, as JSON for the header of the answer, or None. The call took microseconds.

        That is `[number, text]`, and from then on the number alone.
        """
        script = self._script
        if script is None:
            return None
        self._script = None
        script.is_quick = took <= QUICK_MICROSECONDS
        if not self._call:
            return None
        self._forget()
        if script.numbered[0] == self._round:
            return script.numbered[1]
        if self._count == MAX_NUMBERED:  # the numbers begin anew, and the server forgets what they were
            self._round += 1
            self._count = 0
        self._count += 1
        number = b"%d" % self._count
        script.numbered = self._round, number
        return b"[%b,%b]" % (number, script.announcement())

    def _forget(self):
        self._call = 0
        _CALL.pack_into(self._memory, 0, 0)
