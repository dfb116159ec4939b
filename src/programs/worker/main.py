"""The worker: takes one call after the other from the channel, runs it, answers.

Everything that a script can leave behind for the next one is put back here after each call: standard streams,
current folder, recursion limit, timers. What can't be put back, processes and threads left running, is reported
with the answer, and the server replaces this worker.
"""

import _thread
import faulthandler
import gc
import os
import signal
import sys
import time

from _tabpy_worker import requests, errors, models, queries, json_writer, scripts
from _tabpy_worker.frames import MAX_BODY_BYTES, Channel, FrameReader, FrameWriter
from _tabpy_worker.freed_memory import KeptMemory
from _tabpy_worker.script_output import ScriptOutput
from _tabpy_worker.tabpy_object import Endpoints, TabPy

OOM_SCORE = b"500"
LARGE_BODY_BYTES = 1024 * 1024


def main(start):
    """Serve calls until the channel closes. `start` is the header of the server's first frame."""
    channel = _take_channel()
    output = ScriptOutput(start["marker"], start.get("memory"))
    faulthandler.enable(2)
    _prefer_for_oom_killer()
    scripts.register_module()
    worker = Worker(start, channel, output)
    gc.collect()
    gc.freeze()
    channel.write({"id": 0, "kind": "ready", "pid": os.getpid(), "clock": time.monotonic_ns() // 1000})
    worker.serve()


def _take_channel():
    """Move the channel off descriptors 0 and 1, where scripts and their children would find it."""
    channel = Channel(FrameReader(os.dup(0)), FrameWriter(os.dup(1)))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return channel


def _prefer_for_oom_killer():
    """When the machine runs out of memory, Linux shall end the script that took it, not the server."""
    try:
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
            file.write(OOM_SCORE)
    except OSError:
        pass


def _load_orjson():
    try:
        import orjson
    except Exception:  # not there, or built for another Python
        return None
    return orjson


class Worker:
    """Runs calls one at a time. `start` is the header of the server's first frame."""

    def __init__(self, start, channel, output):
        self._orjson = _load_orjson() if start.get("orjson", True) else None
        self._channel = channel
        self._output = output
        self._announces = start.get("announce", False)
        self._scripts = scripts.ScriptCache()
        self._models = models.ModelCache(start.get("models", 1), self._load_model)
        self._number = 0
        self._memory = KeptMemory(start.get("keepMemory", False))
        self._endpoints = Endpoints(self._ask_endpoint)
        self._tabpy = TabPy(self._endpoints, self._models, self._orjson)
        self._surroundings = Surroundings()

    def serve(self):
        """Answer frames until the channel ends."""
        process = os.getpid()
        run = {"evaluate": self._evaluate, "query": self._query, "load": self._load}
        while True:
            self._memory.give_back(self._channel.wait)
            frame = self._channel.read()
            if frame is None:
                return
            header, body = frame
            frame = None
            number = self._number = header["id"]
            if "notAfter" in header and time.monotonic_ns() > header["notAfter"] * 1000:
                self._channel.reply(number, b"returned")
                continue
            began = time.monotonic_ns()
            self._output.start_call(number)
            try:
                kind, answer, more = run[header["kind"]](header, body)
            except requests.Rejected as rejected:
                kind, answer, more = b"rejected", errors.describe_rejection(rejected), {}
            body = None
            if os.getpid() != process:  # a script forked and its child came back here: only one may answer
                os._exit(0)
            self._output.end_call()
            leftovers = self._surroundings.restore()
            if leftovers:
                more = {**more, "leftovers": leftovers}
            took = (time.monotonic_ns() - began) // 1000
            self._channel.reply(number, kind, answer, took, more, self._output.announcer.end_call(took))
            answer = None
            self._memory.call_took(took)
            if leftovers:
                self._channel.wait_for_end()
                return

    def _evaluate(self, header, body):
        script = None
        try:
            self._endpoints.start_call(header.get("revision"))
            is_large = len(body) > LARGE_BODY_BYTES
            script, arguments = requests.parse_evaluate(body, self._scripts, self._orjson)
            body = None
            if self._announces:
                self._output.announce(script)
            value = script.bind()(self._tabpy, *arguments)
            if is_large:
                self._memory.used = arguments, value
            arguments = None
            return b"result", _checked(json_writer.encode(value, self._orjson)), {}
        except requests.Rejected:
            raise
        except BaseException as error:  # SystemExit and KeyboardInterrupt too: they end the call, not the worker
            self._surroundings.restore_recursion_limit()  # a low one would stop the description too
            return b"raised", errors.describe(error, script), {}

    def _query(self, header, body):
        try:
            arguments, keywords = queries.parse_query(body, self._orjson)
            body = None
            model = header.get("model")
            if model is None:  # nothing has this name: only the body was to be looked at
                return b"result", b"", {}
            response = queries.call(self._models.get(model), arguments, keywords, self._orjson)
            answer = _checked(queries.answer(response, model, header["uuid"]))
            return b"result", answer, {"etag": queries.etag(response)}
        except requests.Rejected:
            raise
        except models.NotLoaded as error:
            return b"raised", errors.describe_not_loaded(error), {}
        except BaseException as error:
            self._surroundings.restore_recursion_limit()
            return b"raised", errors.describe(error), {}

    def _load(self, header, _):
        """Only to see whether it loads: what was loaded is not kept."""
        try:
            self._load_model(header["model"])
            return b"result", b"", {}
        except models.NotLoaded as error:
            return b"raised", errors.describe_not_loaded(error), {}

    def _load_model(self, model):
        """The query object; threads that its libraries start stay with it."""
        before = _thread._count()
        found = models.load(model)
        self._surroundings.accept_threads(_thread._count() - before)
        return found

    def _ask_endpoint(self, name):
        return self._channel.ask(self._number, "resolve", str(name))


def _checked(encoded):
    if len(encoded) > MAX_BODY_BYTES:
        raise ValueError("The result is %d bytes of JSON, more than 1 GiB" % len(encoded))
    return encoded


class Surroundings:
    """What a process has but once, and a script may change."""

    def __init__(self):
        self._recursion_limit = sys.getrecursionlimit()
        self._threads = _thread._count()
        self._posix = os.name == "posix"
        self._folder = os.open(".", os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)) if self._posix else os.getcwd()
        self._adopted = self._open_children_of_keeper()

    def accept_threads(self, number):
        """So many more threads are no leftovers of a call."""
        self._threads += max(0, number)

    def restore_recursion_limit(self):
        if sys.getrecursionlimit() != self._recursion_limit:
            sys.setrecursionlimit(self._recursion_limit)

    def restore(self):
        """Put back what can be; what the call left running, as text ("processes", "threads"), or None."""
        self.restore_recursion_limit()
        faulthandler.cancel_dump_traceback_later()
        if self._posix:
            os.fchdir(self._folder)
            for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
                signal.setitimer(timer, 0)
            if self._has_processes():
                return "processes"
        else:
            os.chdir(self._folder)
        if _thread._count() > self._threads:
            return "threads"
        return None

    @staticmethod
    def _open_children_of_keeper():
        """Orphans of a script's children become the keeper's: its list of children tells (Linux)."""
        keeper = os.getppid() if hasattr(os, "getppid") else 0
        try:
            return os.open("/proc/%d/task/%d/children" % (keeper, keeper), os.O_RDONLY)
        except OSError:
            return None

    def _has_processes(self):
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return False
        try:
            while True:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended is None:
                    return True
                # A child that ended and that nobody waits for: the garbage of subprocess and os.fork.
                os.waitpid(ended.si_pid, 0)
        except ChildProcessError:
            pass
        if self._adopted is None:
            return False
        try:
            return len(os.pread(self._adopted, 64, 0).split()) > 1
        except OSError:
            return False
