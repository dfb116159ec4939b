# The channel between the server and a worker: frames over a pair of pipes, the same both ways.
#
#     u32 header length | u32 body length | header (JSON, UTF-8) | body (raw bytes)       little-endian
#
# The header says `id`, the number of the call, and `kind`. The body is a request's or a result's own bytes,
# untouched; for `raised` and `rejected` it is the JSON of what messages.ts describes.
#
# server to worker   start     body {module name: source}; `marker`, `orjson`
#                    evaluate  body of POST /evaluate; maybe `notAfter`
# worker to server   hello     which Python this is: `version`, `implementation`, `executable`
#                    ready     the worker waits for calls: `pid`, `clock` (monotonic, microseconds)
#                    result    body is the JSON of the answer
#                    raised    the script raised, or didn't compile, or its result can't be written as JSON
#                    rejected  the request was not well formed
#                    returned  the call was not begun: its `notAfter` had passed
# A call may be sent while another runs. It then carries `notAfter`, microseconds of the monotonic clock that all
# processes of a machine share: it begins before that instant and after the answer of the call before it was
# written, or never. So the server knows, without asking, when it may give the call to another worker.
# A reply may carry `leftovers`: processes or threads that the call left running. No call begins after it.

import io
import json
import os
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

    def wait_for_end(self):
        """Take nothing more; returns when the other side has closed the stream."""
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
    """Writes frames to a file descriptor."""

    def __init__(self, fd):
        self._fd = fd

    def write_reply(self, number, kind, body, leftovers=None, function=None):
        """Answer call `number`. `function` is JSON, for the log. Raises OSError when the server is gone."""
        head = b'{"id":%d,"kind":"%b"' % (number, kind)  # not worth the JSON encoder
        if leftovers is not None:
            head += b',"leftovers":"%b"' % leftovers.encode("ascii")
        if function is not None:
            head += b',"function":%b' % function
        self._write_frame(head + b"}", body)

    def write(self, header, body=b""):
        """Write one frame whole. Raises OSError when the server is gone."""
        self._write_frame(json.dumps(header).encode("ascii"), body)

    def _write_frame(self, head, body):
        lengths = LENGTHS.pack(len(head), len(body))
        if len(body) <= READ_SIZE:
            self._write_all(lengths + head + body)
        else:
            self._write_all(lengths + head)
            self._write_all(body)

    def _write_all(self, data):
        written = os.write(self._fd, data)
        if written < len(data):
            view = memoryview(data)
            while written < len(data):
                written += os.write(self._fd, view[written:])
