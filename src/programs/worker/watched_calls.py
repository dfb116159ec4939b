"""Notices calls of functions that change signals, timers and resource limits.

Reading these takes longer than a short script; after most scripts it isn't necessary. What C code changes is found by the
checks that process_state.py makes from time to time.
"""

import functools
import signal

try:
    import resource
except ImportError:  # Windows
    resource = None

WATCHED = ((signal, ("alarm", "pthread_sigmask", "setitimer", "signal")), (resource, ("prlimit", "setrlimit")))


class WatchedCalls:
    """`seen` is True after one of the functions was called; who has read it sets it to False."""

    def __init__(self):
        self.seen = False
        for module, names in WATCHED:
            for name in names:
                if hasattr(module, name):
                    setattr(module, name, self._noting(getattr(module, name)))

    def _noting(self, function):
        @functools.wraps(function)
        def noting(*args, **kwargs):
            self.seen = True
            return function(*args, **kwargs)
        return noting
