"""The worker: reads one call after the other from the channel, runs it, replies.

What a script may change for the next one is restored after each call: the standard streams (script_output.py) and the
state of the process (process_state.py). Processes and threads left running, for example, can't be: the reply names
them, and the server replaces this worker.
"""

import faulthandler
import functools
import gc
import json
import os
import time

from _tabpy_worker import errors, json_writer, models, module_files, own_server, queries, requests, scripts
from _tabpy_worker.frames import MAX_BODY_BYTES, Channel, FrameReader, FrameWriter
from _tabpy_worker.freed_memory import FreedMemory
from _tabpy_worker.process_state import ProcessState
from _tabpy_worker.script_output import ScriptOutput
from _tabpy_worker.tabpy_object import Endpoints, TabPy

OOM_SCORE = b"500"
# The channel is at this descriptor or up to 256 above: out of the way of loops over the lowest ones, and below 1024, the
# limit of select().
CHANNEL_DESCRIPTOR = 640
MAX_NAME_LENGTH = 10_000
LARGE_BODY_BYTES = 1024 * 1024


def main(start):
    """Serve calls until the channel closes. `start` is the header of the server's first frame."""
    channel = _take_channel(start.pop("key", None))
    output = ScriptOutput(start["marker"])
    faulthandler.enable(2)
    _prefer_for_oom_killer()
    scripts.register_module()
    worker = Worker(start, channel, output)
    gc.collect()
    gc.freeze()
    channel.write({"id": 0, "kind": "ready", "pid": os.getpid(), "clock": time.monotonic_ns() // 1000})
    worker.serve()


def _take_channel(key):
    """Move the channel off descriptors 0 and 1, where scripts and their children would find it."""
    base = CHANNEL_DESCRIPTOR + os.urandom(1)[0]
    reading, writing = _move_up(0, base), _move_up(1, base)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=functools.partial(_close, reading, writing))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return Channel(FrameReader(reading), FrameWriter(writing, key))


def _move_up(fd, base):
    """A copy of a descriptor that is closed by exec, at `base` or above if the limit of open files allows it."""
    try:
        import fcntl
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, base)
    except (ImportError, OSError):
        return os.dup(fd)


def _close(*fds):
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            pass


def _prefer_for_oom_killer():
    """When memory runs out, Linux kills the script that used it, not the server."""
    try:
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
            file.write(OOM_SCORE)
    except OSError:
        pass


def _load_orjson():
    try:
        import orjson
    except Exception:  # not installed, or built for another Python
        return None
    return orjson


class Worker:
    """Runs calls one at a time. `start` is the header of the server's first frame."""

    def __init__(self, start, channel, output):
        self._orjson = _load_orjson() if start.get("orjson", True) else None
        self._channel = channel
        self._output = output
        self._scripts = scripts.ScriptCache()
        self._models = models.ModelCache(start.get("models", 1), self._load_model)
        self._number = 0
        self._memory = FreedMemory(start.get("keepMemory", False))
        self._endpoints = Endpoints(self._ask_endpoint)
        self._tabpy = TabPy(self._endpoints, self._models, self._orjson)
        own_server.serve_inside(start.get("url", ""), self._tabpy)
        self._state = ProcessState()
        self._module_files = module_files.ModuleFiles()

    def serve(self):
        """Reply to calls until the channel ends."""
        process = os.getpid()
        run = {"evaluate": self._evaluate, "query": self._query, "load": self._load}
        while True:
            self._memory.release(self._channel.wait)
            frame = self._channel.read()
            if frame is None:
                return
            header, body = frame
            frame = None
            number = self._number = header["id"]
            if "notAfter" in header and time.monotonic_ns() > header["notAfter"] * 1000:
                self._channel.reply(number, b"returned")
                continue
            started = time.monotonic_ns()
            self._output.start_call(header["callId"])
            reply = Reply()
            try:
                reply.body = run[header["kind"]](header, body, reply)
            except requests.Rejected as rejected:
                reply.kind, reply.body = b"rejected", errors.describe_rejection(rejected)
            body = None
            if os.getpid() != process:  # a script forked and its child came back here: only one may reply
                os._exit(0)
            self._output.end_call()
            leftovers = self._state.restore(time.monotonic_ns() - started)
            if leftovers:
                reply.more["leftovers"] = leftovers
            self._tell_modules()
            took = (time.monotonic_ns() - started) // 1000
            self._channel.reply(number, reply.kind, reply.body, took, reply.more, reply.function)
            reply = None
            self._memory.call_took(took)
            if leftovers:
                self._channel.wait_for_end()
                return

    def _tell_modules(self):
        """Before the reply: a part of a message from a worker that runs no call would be taken for a script's."""
        imported = self._module_files.take_new()
        if imported:
            paths, is_own = imported
            self._channel.write({"id": 0, "kind": "modules", "own": is_own}, json.dumps(paths).encode("ascii"))

    def _evaluate(self, header, body, reply):
        script = None
        try:
            self._endpoints.start_call(header.get("revision"))
            is_large = len(body) > LARGE_BODY_BYTES
            script, arguments = requests.parse_evaluate(body, self._scripts, self._orjson)
            body = None
            if "function" in header:
                reply.function = script.function()
            value = script.bind()(self._tabpy, *arguments)
            if is_large:
                self._memory.used = arguments, value
            arguments = None
            return _checked(json_writer.encode(value, self._orjson))
        except requests.Rejected:
            raise
        except BaseException as error:  # SystemExit and KeyboardInterrupt too: they end the call, not the worker
            self._state.restore_recursion_limit()  # with a low one, describing the error would fail too
            reply.kind = b"raised"
            return errors.describe(error, script)

    def _query(self, header, body, reply):
        try:
            self._endpoints.start_call(header.get("revision"))
            arguments, keywords = queries.parse_query(body, self._orjson)
            body = None
            model = header.get("model")
            if model is None:  # no function has this name: only the body was to be checked
                return b""
            response = queries.call(self._models.get(model), arguments, keywords, self._orjson)
            answer = _checked(queries.answer(response, model, header["callId"]))
            reply.more["etag"] = queries.etag(response)
            return answer
        except requests.Rejected:
            raise
        except models.NotLoaded as error:
            reply.kind = b"raised"
            return errors.describe_not_loaded(error)
        except BaseException as error:
            self._state.restore_recursion_limit()
            reply.kind = b"raised"
            return errors.describe(error)

    def _load(self, header, _, reply):
        """Only checks that the archive loads; the query object is not kept."""
        try:
            self._load_model(header["model"])
            return b""
        except models.NotLoaded as error:
            reply.kind = b"raised"
            return errors.describe_not_loaded(error)

    def _load_model(self, model):
        """Load the query object; what its libraries change in the process stays."""
        return self._state.keep_changes(lambda: models.load(model))

    def _ask_endpoint(self, name):
        name = str(name)
        if len(name) > MAX_NAME_LENGTH:  # no function has such a name
            return {"kind": "unknown"}
        return self._channel.ask(self._number, "resolve", name)


class Reply:
    """A reply under construction: kind, body, further members of its header, and the script's function as JSON."""

    __slots__ = ("body", "function", "kind", "more")

    def __init__(self):
        self.kind = b"result"
        self.body = b""
        self.more = {}
        self.function = None


def _checked(encoded):
    if len(encoded) > MAX_BODY_BYTES:
        raise ValueError("The result is %d bytes of JSON, more than 1 GiB" % len(encoded))
    return encoded
