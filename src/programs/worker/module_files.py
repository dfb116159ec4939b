"""The files of imported modules, which the server watches: code that has changed on disk needs a fresh worker.

Of installed packages only the file with which their import begins is told: another version of the package replaces it.
"""

import os
import sys
import types

_STANDARD_LIBRARY = os.path.join(os.path.dirname(os.path.abspath(os.__file__)), "")
_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)
MAX_FILES = 2000


class ModuleFiles:
    """Remembers which files have been told."""

    def __init__(self):
        self._module_count = len(sys.modules)
        self._told = set()

    def take_new(self):
        """The paths that have not been told yet, and whether one of them is in no installed package; None for none.

        While nothing is imported, this takes no time.
        """
        if len(sys.modules) == self._module_count:
            return None
        self._module_count = len(sys.modules)
        found = {path for path in map(_watched_file, list(sys.modules.items())) if path} - self._told
        new = sorted(found)[:MAX_FILES - len(self._told)]
        self._told.update(new)
        return (new, any(not _is_installed(path) for path in new)) if new else None


def _watched_file(item):
    name, module = item
    # Not getattr, which may run code of the module.
    path = module.__dict__.get("__file__") if isinstance(module, types.ModuleType) else None
    if not isinstance(path, str):
        return None
    path = os.path.abspath(path)
    if _is_installed(path):
        return path if "." not in name else None
    return None if path.startswith(_STANDARD_LIBRARY) else path


def _is_installed(path):
    return any(part in path for part in _INSTALLED)
