"""Settings of the interpreter that scripts change for everybody: os.environ, sys.path, warnings, sockets, signals.

They are compared after each call, which takes half a microsecond, and restored where they differ; the handlers of signals
when process_state.py says so. What loading a deployed function changes is kept: its libraries are loaded once, and may
rely on it.
"""

import os
import signal
import sys
import warnings
from signal import getsignal
from signal import signal as set_handler

_WITHOUT_HANDLER = ("SIGKILL", "SIGSTOP", "SIGRTMIN", "SIGRTMAX")


class InterpreterState:
    """Remembers the settings when the worker starts, and restores them after each call."""

    def __init__(self):
        self._environ = os.environ
        self._variables = dict(self._environ._data)
        self._path = sys.path
        self._entries = list(sys.path)
        self._filter_list = warnings.filters
        self._filters = list(warnings.filters)
        self._show_warning = warnings.showwarning
        self._show_warning_implementation = getattr(warnings, "_showwarnmsg_impl", None)
        self._handlers = [(int(number), getsignal(number)) for number in signal.Signals
                          if number.name not in _WITHOUT_HANDLER]

    def restore(self):
        """Restore what a call has changed, except handlers of signals."""
        if os.environ is not self._environ or self._environ._data != self._variables:
            self._restore_environ()
        if sys.path is not self._path or self._path != self._entries:
            sys.path = self._path
            self._path[:] = self._entries
        if (warnings.filters is not self._filter_list or self._filter_list != self._filters
                or warnings.showwarning is not self._show_warning):
            self._restore_warnings()
        sockets = sys.modules.get("_socket")
        if sockets is not None and sockets.getdefaulttimeout() is not None:
            sockets.setdefaulttimeout(None)

    def restore_handlers(self):
        """Restore the handlers of signals."""
        for number, handler in self._handlers:
            # None is a handler of C code, faulthandler's for example: it can't be set here.
            if getsignal(number) is not handler and handler is not None:
                set_handler(number, handler)

    def keep_changes(self, change):
        """The result of `change()`, whose changes stay. What the call has changed before is restored after the call."""
        variables = dict(self._environ._data)
        entries = list(sys.path)
        filters = list(warnings.filters)
        try:
            return change()
        finally:
            self._keep_variables(variables)
            self._entries = _with_additions(self._entries, entries, sys.path)
            self._filters = _with_additions(self._filters, filters, warnings.filters)

    def _keep_variables(self, before):
        after = self._environ._data
        for name in before.keys() - after.keys():
            self._variables.pop(name, None)
        for name, value in after.items():
            if before.get(name) != value:
                self._variables[name] = value

    def _restore_environ(self):
        os.environ = environ = self._environ
        for name in [name for name in environ._data if name not in self._variables]:
            del environ[environ.decodekey(name)]
        for name, value in self._variables.items():
            if environ._data.get(name) != value:
                environ[environ.decodekey(name)] = environ.decodevalue(value)

    def _restore_warnings(self):
        warnings.filters = self._filter_list
        warnings.showwarning = self._show_warning
        warnings._showwarnmsg_impl = self._show_warning_implementation  # catch_warnings replaces it, too
        warnings.resetwarnings()  # tells C code, too, that they have changed
        self._filter_list[:] = self._filters


def _with_additions(kept, before, after):
    """`kept`, with the items that `after` has and `before` has not: at the front those from its front, others at the end."""
    first = next((at for at, each in enumerate(after) if each in before), len(after))
    front = [each for each in after[:first] if each not in kept]
    return front + kept + [each for each in after[first:] if each not in before and each not in kept]
