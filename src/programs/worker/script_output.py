"""Standard output and error of scripts: both go to file descriptor 2, which the server reads as log lines.

Output through `sys.stdout` and `sys.stderr` is enclosed in two marks with the call's id, which the server logs with
it. Output of C code or a subprocess has no marks; the server logs it with the id of the call that is running. The
server's half is src/executor/channel/script-output.ts.
"""

import io
import os
import sys


class _MarkedOutput(io.FileIO):
    """The log pipe, writing the begin mark before the first bytes of a call."""

    def __init__(self, fd, output):
        super().__init__(fd, "wb", closefd=False)
        self._output = output

    def write(self, data):
        self._output.begin()
        return super().write(data)


class ScriptOutput:
    """Gives scripts their `sys.stdout` and `sys.stderr` and marks what they print."""

    def __init__(self, marker):
        self._marker = marker.encode("ascii")
        self._fd = os.dup(2)  # a script that closes 2 closes it only for its own C code
        self._call_id = ""
        self._begun = False
        self._process = os.getpid()
        self._stdin = self._open_empty()
        self._stdout = self._open()
        self._stderr = self._open()
        self.restore()

    def _open(self):
        raw = io.BufferedWriter(_MarkedOutput(self._fd, self), 8192)
        return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)

    @staticmethod
    def _open_empty():
        return open(os.devnull, buffering=1, encoding="utf-8", errors="backslashreplace")

    def restore(self):
        """Undo what a script did to the standard streams."""
        if not _is_sound(self._stdin):
            self._stdin = self._open_empty()
        if not _is_sound(self._stdout):
            self._stdout = self._open()
        if not _is_sound(self._stderr):
            self._stderr = self._open()
        sys.stdout = sys.__stdout__ = self._stdout
        sys.stderr = sys.__stderr__ = self._stderr
        sys.stdin = sys.__stdin__ = self._stdin

    def start_call(self, call_id):
        """What is printed from now on belongs to the call with this id: visible ASCII."""
        self._call_id = call_id

    def begin(self):
        if not self._begun and os.getpid() == self._process:
            self._begun = True
            self._write_mark(b"begin")

    def _write_mark(self, word):
        os.write(self._fd, b"\n%b %b %b\n" % (self._marker, word, self._call_id.encode("ascii")))

    def end_call(self):
        """Flush, mark the end if anything was printed, and restore the streams that the script has changed."""
        if (getattr(sys, "stdout", None) is not self._stdout or getattr(sys, "stderr", None) is not self._stderr
                or getattr(sys, "stdin", None) is not self._stdin):
            self.restore()
        if not _is_sound(self._stdout) or not _is_sound(self._stderr) or not _is_sound(self._stdin):
            self.restore()  # a stream that the script wrapped around ours closes ours when it is deleted
        try:
            self._stdout.flush()
            self._stderr.flush()
            if self._begun:
                self._write_mark(b"end")
        except (OSError, ValueError):
            pass  # a script closed the descriptor: the call's answer matters more than its last line
        self._begun = False


def _is_sound(stream):
    """Whether a script left `stream` open, and writing the way it was opened."""
    try:
        return (not stream.closed and stream.encoding == "utf-8" and stream.errors == "backslashreplace"
                and stream.line_buffering)
    except ValueError:  # detached
        return False
