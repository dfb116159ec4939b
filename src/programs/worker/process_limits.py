"""What a call may use up or lower in its process: descriptors, threads of C code, timers, resource limits, signals.

All of it takes longer to read than a short script runs: process_state.py decides when it is checked.
"""

import os
import signal

try:
    import resource
except ImportError:  # Windows
    resource = None

# A library may keep a connection or a pool of threads for the next call: only what exceeds this ends the worker.
MAX_NEW_DESCRIPTORS = 100
MAX_NEW_THREADS = 256
LIMITS = ("RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NPROC")
_pthread_sigmask = getattr(signal, "pthread_sigmask", None)
_getrlimit, _setrlimit = getattr(resource, "getrlimit", None), getattr(resource, "setrlimit", None)


class ProcessLimits:
    """Remembers what a process has and may use, and restores what can be restored."""

    def __init__(self):
        self._mask = _pthread_sigmask(signal.SIG_BLOCK, ()) if _pthread_sigmask else None
        self._limits = [(getattr(resource, name), _getrlimit(getattr(resource, name)))
                        for name in LIMITS if hasattr(resource, name)]
        self._timers = _open("timers", os.O_RDONLY)
        self._open_timers = self._read_timers()
        self._tasks = _open("task", os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        self._thread_count = self._count_threads()
        self._descriptors = _open("fd", os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        self._descriptor_count = self._count_descriptors()

    def restore(self):
        """Restore what can be restored after a call; returns the kind of `leftovers` (messages.ts), or None."""
        if _pthread_sigmask and _pthread_sigmask(signal.SIG_BLOCK, ()) != self._mask:
            _pthread_sigmask(signal.SIG_SETMASK, self._mask)
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
            if _getrlimit(which) != limit:
                try:
                    _setrlimit(which, limit)
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


def _open(name, flags):
    try:
        return os.open("/proc/self/" + name, flags)
    except OSError:  # not Linux, or a kernel without it
        return None
