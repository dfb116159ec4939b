"""Archives for tests, with plain pickle: not every Python has cloudpickle."""

import json
import os
import pickle
import textwrap
import uuid

from tabpy.tabpy_tools.custom_query_object import CustomQueryObject

_BUILD = "exec(%r, names := {}) or names[%r]"


class Built:
    """Unpickles as the value of the Python expression `text`."""

    def __init__(self, text):
        self._text = text

    def __reduce__(self):
        return eval, (self._text,)


def function(source, name="f"):
    """An archive, as bytes, of the function `name` that `source` defines."""
    query_object = CustomQueryObject.__new__(CustomQueryObject)  # its `__init__` requires the function itself
    query_object.custom_query = Built(_BUILD % (textwrap.dedent(source), name))
    return pickle.dumps(query_object, protocol=4)


def expression(text):
    """An archive that evaluates a Python expression when it is loaded, and is its value."""
    return pickle.dumps(Built(text), protocol=4)


def statements(source):
    """An archive that runs statements when it is loaded."""
    return expression("exec(%r, {})" % textwrap.dedent(source))


class Folder:
    """Puts archives into a folder as the server does, and names them as it does."""

    def __init__(self, path):
        self._path = path
        self._count = 0

    def model(self, archive, name="f", version=1, facts=None):
        """The description of a deployed archive; each has a different key."""
        self._count += 1
        folder = os.path.join(self._path, str(self._count))
        os.mkdir(folder)
        path = os.path.join(folder, "pickle_archive")
        with open(path, "wb") as file:
            file.write(archive)
        if facts is not None:
            with open(os.path.join(folder, "deployment.json"), "wb") as file:
                file.write(facts if type(facts) is bytes else json.dumps(facts).encode("ascii"))
        return {"name": name, "version": version, "archive": path, "key": str(uuid.uuid4())}
