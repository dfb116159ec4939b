"""What the log says about a script before it runs: the function that it becomes, as TabPy words it.

A write of its own for each call costs a short one a good part of its time. So the function of a script that was quick
the last time goes out with its answer, or with the first thing that it prints. Should it never answer, because it hangs
or ends its process, the keeper (keeper.py) says it: they share a piece of memory.
"""

import json
import os
import struct

MAX_CHARACTERS = 8192
# A call of at most this time, in nanoseconds, is quick.
QUICK_NS = 5_000_000
# Every character may be two escapes of six bytes.
MEMORY_BYTES = 12 * MAX_CHARACTERS + 16384

_LENGTH = struct.Struct("<I")
_NOTHING = _LENGTH.pack(0)


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


def say_last_words(memory, fd):
    """Write what the worker has left there, for the log."""
    if memory is None:
        return
    length, = _LENGTH.unpack_from(memory)
    if 0 < length <= MEMORY_BYTES - _LENGTH.size:
        try:
            os.write(fd, memory[_LENGTH.size:_LENGTH.size + length])
        except OSError:
            pass


class Announcer:
    """Says which function a call evaluates, at the latest when the call ends."""

    def __init__(self, fd, marker, memory):
        self._fd = fd
        self._marker = marker
        self._memory = memory
        self._line = None
        self._encoded = None

    def start_call(self, number, encoded, is_quick):
        """`encoded` is what `encode_function` gave, `is_quick` whether it may be said later."""
        self._encoded = encoded
        self._line = b"\n%s function %d %s\n" % (self._marker, number, encoded)
        if is_quick and self._memory is not None:
            end = _LENGTH.size + len(self._line)
            self._memory[:end] = _LENGTH.pack(len(self._line)) + self._line
        else:
            self.say()

    def say(self):
        """Say it now, unless it has been said."""
        if self._line is not None:
            try:
                os.write(self._fd, self._line)
            except OSError:
                pass  # a script closed the descriptor
            self._forget()

    def take(self):
        """What has not been said yet, as JSON for the header of the answer, or None."""
        if self._line is None:
            return None
        encoded = self._encoded
        self._forget()
        return encoded

    def _forget(self):
        self._line = None
        self._encoded = None
        if self._memory is not None:
            self._memory[:_LENGTH.size] = _NOTHING
