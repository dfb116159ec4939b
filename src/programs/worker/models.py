"""Deployed functions: from an archive to a query object, and what can be said of one that doesn't load.

An archive is a pickle of a `tabpy.tabpy_tools.custom_query_object.CustomQueryObject`, made with cloudpickle. Which
archive serves which name is the server's affair.
"""

import json
import os
import pickle
import platform
import sys
from collections import OrderedDict

# What CPython says of a pickle that another version has made: of its code objects, its protocol, its cloudpickle.
_SMELLS = (
    "code() argument",
    "code expected at",
    "code() takes",
    "bad marshal data",
    "unsupported pickle protocol",
    "unknown opcode",
    "cloudpickle",
    "_make_skel",
    "_builtin_type",
    "an integer is required",
    "takes no keyword arguments",
)
FACTS_NAME = "deployment.json"
MAX_FACT_CHARACTERS = 64


class NotLoaded(Exception):
    """The archive of a function can't be loaded; the text says why."""


class ModelCache:
    """Query objects by archive; the least recently used leave first.

    Threads of a script may ask at one time: each step is one of the dict's own, and what is gone by then is passed
    over. No lock is held while an archive loads, which a process forked meanwhile would wait for in vain. `load`
    is the function of that name, or calls it.
    """

    def __init__(self, size, load):
        self._size = size
        self._load = load
        self._objects = OrderedDict()

    def get(self, model):
        """The query object of `model`, a dict with `name`, `version`, `archive` and `key`. Raises NotLoaded."""
        key = (model["name"], model["version"], model["key"])
        found = self._objects.get(key)
        if found is not None:
            try:
                self._objects.move_to_end(key)
            except KeyError:
                pass
            return found
        found = self._load(model)
        # Nobody asks for an older archive of this name any more.
        for other in list(self._objects):
            if other[0] == model["name"]:
                self._objects.pop(other, None)
        self._objects[key] = found
        while len(self._objects) > self._size:
            self._objects.popitem(last=False)
        return found


def load(model):
    """Read an archive. Raises NotLoaded, whatever the pickle raises."""
    archive = model["archive"]
    recursion_limit = sys.getrecursionlimit()
    try:
        with open(archive, "rb") as file:
            found = pickle.load(file)
        if not callable(getattr(found, "query", None)):
            raise NotLoaded("'%s' object has no attribute 'query'" % type(found).__name__)
        return found
    except NotLoaded:
        raise
    except BaseException as error:  # SystemExit and KeyboardInterrupt of a hostile pickle too
        sys.setrecursionlimit(recursion_limit)  # a low one would stop the explanation
        raise NotLoaded(_explain(error, os.path.dirname(archive))) from error


def version_difference(folder):
    """Which Python and cloudpickle made the archive in `folder` and which are here; None when they are the same."""
    made, here = _facts(folder), {"python": platform.python_version(), "cloudpickle": _cloudpickle_version()}
    is_same = all(_minor(made.get(name)) == _minor(here[name]) for name in here)
    if is_same:
        return None
    return "deployed with %s, loaded with %s" % (_words(made), _words(here))


def _explain(error, folder):
    try:
        text = str(error) or type(error).__name__
    except BaseException:
        text = type(error).__name__
    if isinstance(error, ModuleNotFoundError):
        text += " (looked for by %s)" % sys.executable
    smells = isinstance(error, (AttributeError, TypeError, ValueError, SystemError, ImportError)) and any(
        smell in text for smell in _SMELLS)
    if _facts(folder) or smells:
        difference = version_difference(folder)
        if difference is not None:
            text += "; " + difference
    return text


def _facts(folder):
    """What deployment.json says; whoever put it there may have put anything there."""
    try:
        with open(os.path.join(folder, FACTS_NAME), encoding="utf-8") as file:
            facts = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    if type(facts) is not dict:
        return {}
    names = [name for name in ("python", "cloudpickle") if type(facts.get(name)) is str]
    return {name: facts[name][:MAX_FACT_CHARACTERS] for name in names}


def _words(facts):
    if not facts:
        return "an unknown Python and cloudpickle"
    return "Python %s and cloudpickle %s" % (
        facts.get("python") or "of an unknown version", facts.get("cloudpickle") or "of an unknown version")


def _minor(version):
    """Patch releases of Python and cloudpickle read each other's pickles."""
    return version and version.split(".")[:2]


def _cloudpickle_version():
    try:
        import cloudpickle
        return getattr(cloudpickle, "__version__", None)
    except Exception:
        return None
