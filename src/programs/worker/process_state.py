"""State that exists once in a process and scripts may change: folder, recursion limit, timers, threads, children.

interpreter_state.py and process_limits.py have the rest of it. Signals, timers and limits are read after calls that may have
changed them (watched_calls.py), after each call of a millisecond or more, and after every 32nd shorter one.
"""

import _thread
import faulthandler
import os
import signal
import sys

from _tabpy_worker import kept_pools
from _tabpy_worker.interpreter_state import InterpreterState
from _tabpy_worker.process_limits import ProcessLimits
from _tabpy_worker.watched_calls import WatchedCalls

LONG_CALL_NS = 1_000_000
SHORT_CALLS = 32
TIMERS = [getattr(signal, name) for name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF") if hasattr(signal, name)]
_setitimer = getattr(signal, "setitimer", None)


class ProcessState:
    """Remembers the state of the process when the worker starts, and restores it after each call."""

    def __init__(self):
        self._recursion_limit = sys.getrecursionlimit()
        self._threads = _thread._count()
        self._posix = os.name == "posix"
        self._folder = os.open(".", os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)) if self._posix else os.getcwd()
        self._adopted = self._open_children_of_reaper()
        self._interpreter = InterpreterState()
        self._limits = ProcessLimits()
        self._short_calls = 0
        self._watched = WatchedCalls()

    def keep_changes(self, load):
        """The result of `load()`, which loads libraries: what they change, and threads that they start, stay."""
        before = _thread._count()
        found = self._interpreter.keep_changes(load)
        self._threads += max(0, _thread._count() - before)
        return found

    def restore_recursion_limit(self):
        if sys.getrecursionlimit() != self._recursion_limit:
            sys.setrecursionlimit(self._recursion_limit)

    def restore(self, took_ns=0):
        """Restore what can be restored after a call that took so long. Returns the kind of `leftovers` or None."""
        self.restore_recursion_limit()
        self._interpreter.restore()
        is_full = self._is_full_check_due(took_ns)
        if is_full:
            self._interpreter.restore_handlers()
            for timer in TIMERS:
                _setitimer(timer, 0)
        faulthandler.cancel_dump_traceback_later()
        if self._posix:
            os.fchdir(self._folder)
            if self._has_processes():
                return "processes"
        else:
            os.chdir(self._folder)
        if _thread._count() > self._threads and not kept_pools.have_threads(_thread._count, self._threads):
            return "threads"
        return self._limits.restore() if is_full else None

    def _is_full_check_due(self, took_ns):
        self._short_calls += 1
        if took_ns < LONG_CALL_NS and self._short_calls < SHORT_CALLS and not self._watched.seen:
            return False
        self._short_calls = 0
        self._watched.seen = False
        return True

    @staticmethod
    def _open_children_of_reaper():
        """The list of the reaper's children (Linux): it adopts the orphans of a script's children."""
        reaper = os.getppid() if hasattr(os, "getppid") else 0
        try:
            return os.open("/proc/%d/task/%d/children" % (reaper, reaper), os.O_RDONLY)
        except OSError:
            return None

    def _has_processes(self):
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return False
        if _has_children() and not kept_pools.have_all(_children):
            return True
        if self._adopted is None:
            return False
        try:
            return len(os.pread(self._adopted, 64, 0).split()) > 1
        except OSError:
            return False


def _has_children():
    """Whether a child runs; those that have ended, and that the script didn't wait for, are waited for."""
    try:
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return True
            os.waitpid(ended.si_pid, 0)
    except ChildProcessError:
        return False


def _children():
    """Process ids of the running children; where they can't be listed, {None}."""
    if not _has_children():
        return set()
    try:
        found = set()
        for thread in os.listdir("/proc/self/task"):
            with open("/proc/self/task/%s/children" % thread, "rb") as file:
                found.update(map(int, file.read().split()))
        return found
    except OSError:
        return {None}
