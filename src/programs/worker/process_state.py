"""State that exists once in a process and scripts may change: folder, recursion limit, timers, threads, children.

interpreter_state.py and process_limits.py have the rest of it.
"""

import _thread
import faulthandler
import os
import signal
import sys

from _tabpy_worker import kept_pools
from _tabpy_worker.interpreter_state import InterpreterState
from _tabpy_worker.process_limits import ProcessLimits


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
        faulthandler.cancel_dump_traceback_later()
        if self._posix:
            os.fchdir(self._folder)
            for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
                signal.setitimer(timer, 0)
            if self._has_processes():
                return "processes"
        else:
            os.chdir(self._folder)
        if _thread._count() > self._threads and _thread._count() > self._threads + kept_pools.count_all()[1]:
            return "threads"
        return self._limits.restore(took_ns)

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
