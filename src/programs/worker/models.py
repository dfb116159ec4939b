"""Deployed functions: loads an archive as a query object, or explains why it can't be loaded.

An archive is a pickle of a `tabpy.tabpy_tools.custom_query_object.CustomQueryObject`, made with cloudpickle. The
server decides which archive serves which name.
"""

import json
import os
import pickle
import platform
import sys
from collections import OrderedDict

# Parts of the errors that CPython raises for a pickle of another version: of its code objects, protocol or cloudpickle.
_VERSION_MISMATCH_TEXTS = (
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
# What the package of TabPy's client was called before 0.8. Its archives refer to the classes of the same names.
_EARLIER_PACKAGES = ("tabpy_client", "tabpy_tools")
FACTS_NAME = "deployment.json"
MAX_FACT_CHARACTERS = 64


class NotLoaded(Exception):
    """The archive of a function can't be loaded; the text tells why."""


class ModelCache:
    """Query objects by archive; the least recently used are evicted first.

    Threads of a script may use it concurrently: each step is one atomic operation of the dict, and entries that are
    gone by then are skipped. No lock is held while an archive loads: a process forked meanwhile would wait for it
    forever. `load` is the function below, or a function that calls it.
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
        # No call needs an older archive of this name any more.
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
            found = _Unpickler(file).load()
        if not callable(getattr(found, "query", None)):
            raise NotLoaded("'%s' object has no attribute 'query'" % type(found).__name__)
        return found
    except NotLoaded:
        raise
    except BaseException as error:  # SystemExit and KeyboardInterrupt of a hostile pickle too
        sys.setrecursionlimit(recursion_limit)  # with a low one, explaining the error would fail
        raise NotLoaded(_explain(error, os.path.dirname(archive))) from error


class _Unpickler(pickle.Unpickler):
    """Finds the classes of earlier clients here, unless that client is installed and can be imported."""

    def find_class(self, module, name):
        package, _, rest = module.partition(".")
        if package not in _EARLIER_PACKAGES:
            return super().find_class(module, name)
        try:
            return super().find_class(module, name)
        except Exception as error:  # tabpy_client fails on Python 3.10 and newer
            try:
                return super().find_class("tabpy.tabpy_tools." + rest, name)
            except (AttributeError, ImportError):
                raise error from None


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
    is_mismatch = isinstance(error, (AttributeError, TypeError, ValueError, SystemError, ImportError)) and any(
        part in text for part in _VERSION_MISMATCH_TEXTS)
    if _facts(folder) or is_mismatch:
        difference = version_difference(folder)
        if difference is not None:
            text += "; " + difference
    return text


def _facts(folder):
    """The valid members of deployment.json."""
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
