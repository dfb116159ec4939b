"""What a fresh interpreter runs after boot.py: makes the other sources importable, and becomes reaper and worker.

The sources stay in memory: no file is written, so none is left behind however the server ends.
"""

import importlib.abc
import importlib.util
import os
import sys

PACKAGES = ("_tabpy_worker", "tabpy", "tabpy.tabpy_tools")


class SourceFinder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports from a table {module name: source text}."""

    def __init__(self, sources):
        self._sources = sources

    def find_spec(self, name, path=None, target=None):
        if name not in self._sources:
            return None
        return importlib.util.spec_from_loader(name, self, is_package=name in PACKAGES)

    def get_source(self, name):
        return self._sources[name]

    def is_package(self, name):
        return name in PACKAGES


def run(start, sources):
    """Start the worker; `start` is the header of the server's first frame.

    On POSIX this process forks: the child is the worker, this one its reaper (reaper.py).
    """
    # Last, so that a `tabpy` package that the user has installed is not shadowed.
    sys.meta_path.append(SourceFinder(sources))
    if os.name == "posix":
        from _tabpy_worker import reaper
        reaper.fork_worker()  # returns only in the worker
    from _tabpy_worker import main
    main.main(start)
