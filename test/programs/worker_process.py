"""A real worker for tests: the boot program in a process of its own, used as the server uses it.

Reads and writes frames with code of its own, so that a change of the format only on the Python side is noticed.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "programs")
MARKER = "--mark--"
OWN_URL = "http://localhost:19004/sub"


def boot_program():
    return _read("worker", "boot.py")


def worker_sources():
    """{module name: source}, as sources.ts has it."""
    sources = {"_tabpy_worker": ""}
    for name in os.listdir(os.path.join(PROGRAMS, "worker")):
        if name.endswith(".py") and name != "boot.py":
            sources["_tabpy_worker." + name[:-3]] = _read("worker", name)
    sources["tabpy"] = _read("tabpy", "__init__.py")
    sources["tabpy.tabpy_tools"] = _read("tabpy", "tabpy_tools", "__init__.py")
    for name in os.listdir(os.path.join(PROGRAMS, "tabpy", "tabpy_tools")):
        if name.endswith(".py") and name != "__init__.py":
            sources["tabpy.tabpy_tools." + name[:-3]] = _read("tabpy", "tabpy_tools", name)
    return sources


def _read(*parts):
    with open(os.path.join(PROGRAMS, *parts), encoding="utf-8") as file:
        return file.read()


def call_id(number):
    """The id of a test's call."""
    return "call-%d" % number


class WorkerProcess:
    """Use it with `with`, or call `close`. `exit_code` is there after that.

    `endpoints` is what it is told of deployed functions: name -> answer, or a list of answers to give one after the
    other. `asked` has the names that it asked for, `modules` the (header, paths) that it has told.
    """

    def __init__(self, orjson=True, keep_memory=True, replace=("", "")):
        self.exit_code = None
        self.endpoints = {}
        self.asked = []
        self.modules = []
        self.revision = 1
        self._number = 0
        self._log = tempfile.TemporaryFile()  # a file, not a pipe: the worker never waits for this process to read it
        self._log_read = 0
        self._folder = tempfile.TemporaryDirectory()
        self.folder = os.path.realpath(self._folder.name)
        self._process = subprocess.Popen(
            [sys.executable, "-c", boot_program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            cwd=self.folder, start_new_session=True, bufsize=0)
        self.hello = self._read_frame()[0]
        self._write_frame({"id": 0, "kind": "start", "marker": MARKER, "orjson": orjson, "models": 2, "keepMemory": keep_memory,
                           "url": OWN_URL},
                          json.dumps({name: source.replace(*replace) for name, source in worker_sources().items()}).encode("ascii"))
        self.ready = self._read_frame()[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def evaluate(self, script, *arguments):
        """Run a script; (header, body) of the reply, the body as the value of its JSON."""
        data = {"_arg%d" % (at + 1): value for at, value in enumerate(arguments)}
        return self.send(json.dumps({"script": script, "data": data}).encode("ascii"))

    def value(self, script, *arguments):
        """What a script returns. AssertionError when it fails."""
        header, body = self.evaluate(script, *arguments)
        assert header["kind"] == "result", (header, body)
        return body

    def send(self, request, **members):
        """Post the bytes of a request, with further members of the header; (header, body) of the reply, or None when
        the worker ended."""
        return self.reply(self.post({"kind": "evaluate", "revision": self.revision, **members}, request))

    def query(self, model, data, call_id="the-call"):
        """Call a deployed function; returns (header, body) of the reply."""
        body = data if type(data) is bytes else json.dumps({"data": data}).encode("ascii")
        return self.reply(self.post({"kind": "query", "model": model, "callId": call_id, "revision": self.revision}, body))

    def load(self, model):
        """Check whether an archive loads; returns (header, body) of the reply, or None when the worker ended."""
        return self.reply(self.post({"kind": "load", "model": model}, b""))

    def post(self, header, body):
        """Send a call without waiting for its reply; returns its number."""
        self._number += 1
        self._write_frame({"id": self._number, "callId": call_id(self._number), **header}, body)
        return self._number

    def reply(self, number):
        """The reply to a call, after what it asks has been answered; None when the worker ended."""
        while True:
            frame = self._read_frame()
            if frame is None:
                return None
            header, body = frame
            if header["kind"] == "modules":
                self.modules.append((header, json.loads(body)))
                continue
            assert header["id"] == number, header
            if header["kind"] != "resolve":
                return header, json.loads(body) if body else None
            name = body.decode("utf-8")
            self.asked.append(name)
            known = self.endpoints.get(name, {"kind": "unknown"})
            answer = known.pop(0) if type(known) is list else known
            self._write_frame({"id": number, "kind": "resolved"}, json.dumps(answer).encode("ascii"))

    def printed(self):
        """The text written to descriptor 2 since the last call of this method."""
        # At an offset of our own: the worker writes at the file's offset.
        data = os.pread(self._log.fileno(), 1 << 24, self._log_read)
        self._log_read += len(data)
        return data.decode("utf-8")

    def close(self):
        """Close its channel, as a server that goes away does, and wait for its end."""
        if self.exit_code is None:
            self._process.stdin.close()
            self._process.stdout.close()
            self.exit_code = self._process.wait()
            self._log.close()
            self._folder.cleanup()

    def _write_frame(self, header, body):
        head = json.dumps(header).encode("ascii")
        data = memoryview(struct.pack("<II", len(head), len(body)) + head + body)
        while data:
            data = data[self._process.stdin.write(data):]

    def _read_frame(self):
        lengths = self._take(8)
        if lengths is None:
            return None
        head_size, body_size = struct.unpack("<II", lengths)
        header = json.loads(self._take(head_size))
        if header["kind"] in ("result", "raised", "rejected", "returned"):
            took = header.pop("took")  # it differs from call to call
            assert type(took) is int and took >= 0, took
        return header, self._take(body_size)

    def _take(self, size):
        data = bytearray()
        while len(data) < size:
            more = self._process.stdout.read(size - len(data))
            if not more:
                return None
            data += more
        return bytes(data)
