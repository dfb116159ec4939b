# The channel between the server and a worker: frames over a pair of pipes, the same in both directions.
#
#     u32 header length | u32 body length | header (JSON, UTF-8) | body (raw bytes)       little-endian
#
# The header has `id`, the number of the call or 0, and `kind`. The body of a request or result is the client's or the
# script's own bytes. How to add a message: messages.ts. The headers of the worker, after `hello`, begin with `key`, which
# `start` tells it: bytes that a script writes to the channel lack it, and the server ends such a worker.
#
# server to worker   start     the program: `key`, `marker`, `orjson`, `keepMemory`, `models`, `url`; body {module: source}
#                    evaluate  body of POST /evaluate: `callId`, `revision`; maybe `function`, `notAfter`
#                    query     body of POST /query: `callId`, `revision`; maybe `model`, `notAfter`
#                    load      check that `model` loads: `callId`, `revision`; maybe `notAfter`
#                    resolved  reply to `resolve`; body JSON (Resolution)
# worker to server   hello     which Python this is: `version`, `implementation`, `executable`
#                    ready     waits for calls: `pid`, `clock` (monotonic, microseconds)
#                    resolve   which archive serves the name in the body? `id` is the call that asks
#                    result    reply: `took`; maybe `leftovers`, `function`, `etag`; body JSON of the result
#                    raised    reply: the script raised, doesn't compile, or its result is not JSON; body JSON (Raised)
#                    rejected  reply: the request is malformed; body JSON (Rejected)
#                    returned  reply: the call was not started, because its `notAfter` had passed
#                    modules   files that it has imported: `own`; body JSON (list of paths)
#
# A call may be sent while another one runs. It then carries `notAfter`, its lease: microseconds of the monotonic clock
# that all processes of a machine share. The worker starts it before that instant, after it has written the previous
# reply, or never. So the server knows, without asking, when it may give the call to another worker:
#
#     server     send call 1   send call 2 (notAfter = t)              t: call 2 goes to another worker
#     worker     |---- runs call 1 ----------------------------------------------------|  call 2: `returned`
#
# `took` is in microseconds. `leftovers` is what the call left, processes or threads for example; the worker starts no
# call after such a reply.

import _thread
import collections
import io
import json
import os
import select
import signal
import struct

LENGTHS = struct.Struct("<II")
READ_SIZE = 65536
MAX_BODY_BYTES = 1024 * 1024 * 1024

_decode = json.JSONDecoder().raw_decode


class FrameReader:
    """Reads frames from a file descriptor."""

    def __init__(self, fd):
        self._fd = fd
        self._file = io.FileIO(fd, "rb", closefd=False)
        self._rest = b""

    def read(self):
        """The next frame as (header dict, body bytes-like); None at the end of the stream."""
        data = self._rest or os.read(self._fd, READ_SIZE)
        while len(data) < 8:
            more = os.read(self._fd, READ_SIZE)
            if not more:
                return None
            data += more
        header_size, body_size = LENGTHS.unpack_from(data)
        body_start = 8 + header_size
        end = body_start + body_size
        if len(data) == end:
            self._rest = b""
        elif len(data) > end:
            self._rest = data[end:]
        else:
            data = self._fill(data, end)
            if data is None:
                return None
            self._rest = b""
            # A view, so that a large body is not copied once more.
            return _decode(data[8:body_start].decode())[0], memoryview(data)[body_start:end]
        return _decode(data[8:body_start].decode())[0], data[body_start:end]

    def wait(self, seconds):
        """Wait up to `seconds` for the first byte of a frame; returns whether it arrived. Not for Windows pipes."""
        return bool(self._rest or select.select([self._fd], (), (), seconds)[0])

    def wait_for_end(self):
        """Discard all input; returns when the other side has closed the stream."""
        while os.read(self._fd, READ_SIZE):
            pass

    def _fill(self, data, size):
        whole = bytearray(size)
        got = len(data)
        whole[:got] = data
        view = memoryview(whole)
        while got < size:
            more = self._file.readinto(view[got:])
            if not more:
                return None
            got += more
        return whole


class FrameWriter:
    """Writes frames to a file descriptor. `key` is what their headers begin with, None for nothing."""

    def __init__(self, fd, key=None):
        self._write_frame = _frame_writer(fd, key)

    def write_reply(self, number, kind, body, took, more, function=None):
        """Reply to call `number`; `more` has further members of the header, `function` is one in JSON.

        Raises OSError when the server is gone.
        """
        if more:  # rare; the JSON encoder takes longer than formatting
            head = json.dumps({"id": number, "kind": kind.decode(), "took": took, **more}).encode("ascii")[1:]
            if function is not None:
                head = b'%b,"function":%b}' % (head[:-1], function)
        elif function is None:
            head = b'"id":%d,"kind":"%b","took":%d}' % (number, kind, took)
        else:
            head = b'"id":%d,"kind":"%b","took":%d,"function":%b}' % (number, kind, took, function)
        self._write_frame(head, body)

    def write(self, header, body=b""):
        """Write one complete frame. Raises OSError when the server is gone."""
        self._write_frame(json.dumps(header).encode("ascii")[1:], body)


def _frame_writer(fd, key):
    """A function that writes a frame: its header without the first brace, and its body.

    No attribute has the key: a script that looks through the objects of this program should not meet it by accident.
    """
    start = b"{" if key is None else b'{"key":"%b",' % key.encode("ascii")
    write = os.write  # a script that replaces it would be passed the key

    def write_frame(head, body):
        lengths = LENGTHS.pack(len(start) + len(head), len(body))
        if len(body) <= READ_SIZE:
            write_all(lengths + start + head + body)
        else:
            write_all(lengths + start + head)
            write_all(body)

    def write_all(data):
        written = write(fd, data)
        if written < len(data):
            view = memoryview(data)
            while written < len(data):
                written += write(fd, view[written:])

    return write_frame


_pthread_sigmask = getattr(signal, "pthread_sigmask", None)


class _BlockedSignals:
    """Blocks signals, so that no handler interrupts the reading of a frame; those of pending signals run later."""

    def __enter__(self):
        if _pthread_sigmask:
            self._mask = _pthread_sigmask(signal.SIG_BLOCK, ())
            try:
                _pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            except BaseException:  # from the handler of a signal that was pending already
                self.__exit__()
                raise

    def __exit__(self, *_):
        if _pthread_sigmask:
            _pthread_sigmask(signal.SIG_SETMASK, self._mask)


class Channel:
    """Both directions, and questions to the server during a call, from any of its threads."""

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer
        self._later = collections.deque()  # calls that arrived before the reply to a question
        self._lock = _thread.allocate_lock()
        self._process = os.getpid()

    def read(self):
        """The next call as (header, body); None at the end of the stream."""
        return self._later.popleft() if self._later else self._reader.read()

    def wait(self, seconds):
        """Wait up to `seconds` for the next call; returns whether it has arrived."""
        return bool(self._later) or self._reader.wait(seconds)

    def wait_for_end(self):
        self._reader.wait_for_end()

    def write(self, header, body=b""):
        """Write what is no reply. Raises OSError when the server is gone."""
        with self._lock:
            self._writer.write(header, body)

    def reply(self, number, kind, body=b"", took=0, more=None, function=None):
        """Reply to call `number`, which `took` microseconds. Raises OSError when the server is gone."""
        with self._lock:
            self._writer.write_reply(number, kind, body, took, more, function)

    def ask(self, number, kind, text):
        """Ask the server something in call `number` and wait for its reply, a dict.

        Raises RuntimeError in a process that a script has forked, OSError when the server is gone.
        """
        if os.getpid() != self._process:
            raise RuntimeError("tabpy can't be used in a process that the script has started")
        with _BlockedSignals(), self._lock:
            self._writer.write({"id": number, "kind": kind}, text.encode("utf-8", "backslashreplace"))
            while True:
                frame = self._reader.read()
                if frame is None:
                    raise OSError("the server is gone")
                if frame[0]["kind"] == "resolved":
                    return json.loads(bytes(frame[1]))
                self._later.append(frame)
