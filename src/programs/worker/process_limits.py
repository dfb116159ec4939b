"""What a call may use up or lower in its process: descriptors, threads of C code, timers, resource limits, signals.

The signal mask is checked after each call. The rest takes longer: it is checked after each call of a millisecond or
more and after some of the shorter ones, the resource limits also once a script has imported `resource`.
"""

import os
import signal
import sys

try:
    from _signal import pthread_sigmask  # signal's own makes enum members, which takes longer than the rest
except ImportError:  # Windows
    pthread_sigmask = None

# A library may keep a connection or a pool of threads for the next call: only what exceeds this ends the worker.
MAX_NEW_DESCRIPTORS = 100
MAX_NEW_THREADS = 256
LONG_CALL_NS = 1_000_000
# After how many short calls everything is checked.
SHORT_CALLS = 32
LIMITS = ("RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NPROC")
SIG_BLOCK = int(getattr(signal, "SIG_BLOCK", 0))


class ProcessLimits:
    """Remembers what a process has and may use, and restores what can be restored."""

    def __init__(self):
        self._short_calls = 0
        self._mask = pthread_sigmask(SIG_BLOCK, ()) if pthread_sigmask else None
        self._resource = _import_resource()
        self._limits = [(getattr(self._resource, name), self._resource.getrlimit(getattr(self._resource, name)))
                        for name in LIMITS if hasattr(self._resource, name)]
        self._timers = _open("timers", os.O_RDONLY)
        self._open_timers = self._read_timers()
        self._tasks = _open("task", os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        self._thread_count = self._count_threads()
        self._descriptors = _open("fd", os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        self._descriptor_count = self._count_descriptors()

    def restore(self, took_ns):
        """Restore what can be restored after a call; returns the kind of `leftovers` (messages.ts), or None."""
        if pthread_sigmask and pthread_sigmask(SIG_BLOCK, ()) != self._mask:
            pthread_sigmask(signal.SIG_SETMASK, self._mask)
        if took_ns < LONG_CALL_NS:
            self._short_calls += 1
            if self._short_calls < SHORT_CALLS and "resource" not in sys.modules:
                return None
            if self._short_calls < SHORT_CALLS:
                return None if self._restore_limits() else "limits"
        self._short_calls = 0
        if not self._restore_limits():
            return "limits"
        if self._read_timers() != self._open_timers:
            return "timers"
        if self._count_threads() > self._thread_count + MAX_NEW_THREADS:
            return "threads"
        if self._count_descriptors() > self._descriptor_count + MAX_NEW_DESCRIPTORS:
            return "descriptors"
        return None

    def _restore_limits(self):
        """Returns whether all limits are as they were."""
        for which, limit in self._limits:
            if self._resource.getrlimit(which) != limit:
                try:
                    self._resource.setrlimit(which, limit)
                except (OSError, ValueError):  # a hard limit can't be raised again
                    return False
        return True

    def _read_timers(self):
        return b"" if self._timers is None else os.pread(self._timers, 4096, 0)

    def _count_threads(self):
        return 0 if self._tasks is None else os.fstat(self._tasks).st_nlink

    def _count_descriptors(self):
        if self._descriptors is None:
            return 0
        # Linux 6.2 and newer have the number as the folder's size.
        return os.fstat(self._descriptors).st_size or len(os.listdir("/proc/self/fd"))


def _import_resource():
    """The module, which scripts find unimported."""
    had = "resource" in sys.modules
    try:
        import resource
    except ImportError:  # Windows
        return None
    if not had:
        del sys.modules["resource"]
    return resource


def _open(name, flags):
    try:
        return os.open("/proc/self/" + name, flags)
    except OSError:  # not Linux, or a kernel without it
        return None
