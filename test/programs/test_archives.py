"""Archives: what is written for a function, and that those of TabPy's own client load."""

import io
import os
import pickle
import pickletools
import sys
import unittest
from unittest import mock

from tabpy.tabpy_tools.archives import as_query_object, write_archive
from tabpy.tabpy_tools.custom_query_object import CustomQueryObject
from tabpy.tabpy_tools.query_object import NO_DOCSTRING, QueryObject

try:
    import cloudpickle
except ImportError:
    cloudpickle = None

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "archives")


def golden(name):
    with open(os.path.join(GOLDEN, name, "pickle_archive"), "rb") as file:
        return file.read()


def documented(x):
    """Says  é
    on two lines."""
    return x


class CustomQueryObjectTest(unittest.TestCase):
    def test_query_calls_the_function(self):
        made = CustomQueryObject(lambda *args, **kwargs: (args, kwargs), "words")
        self.assertEqual(made.query(1, 2, z=3), ((1, 2), {"z": 3}))
        self.assertEqual((made.description, made.get_description()), ("words", "words"))
        self.assertIsInstance(made, QueryObject)
        self.assertEqual(made.get_methods(), [{"method": "query"}])

    def test_query_propagates_exceptions(self):
        def fail():
            raise ValueError("bad input: oops")

        with self.assertRaises(ValueError) as caught:
            CustomQueryObject(fail).query()
        self.assertEqual(str(caught.exception), "bad input: oops")
        self.assertIsNone(caught.exception.__cause__)

    def test_get_docstring_is_the_functions_own_or_a_sentence(self):
        self.assertEqual(CustomQueryObject(documented).get_docstring(), documented.__doc__)
        self.assertEqual(CustomQueryObject(lambda: 1).get_docstring(), NO_DOCSTRING)
        self.assertEqual(NO_DOCSTRING, "-- no docstring found in query function --")

    def test_it_accepts_only_functions(self):
        with self.assertRaises(TypeError):
            CustomQueryObject(5)

    def test_as_query_object_keeps_a_query_object(self):
        made = CustomQueryObject(documented, "words")
        self.assertIs(as_query_object(made, "others"), made)
        self.assertEqual(as_query_object(len, "words").description, "words")


class ArchiveTest(unittest.TestCase):
    def test_writing_reports_that_cloudpickle_is_missing(self):
        with mock.patch.dict(sys.modules, {"cloudpickle": None}), self.assertRaises(ImportError) as caught:
            write_archive(CustomQueryObject(documented), io.BytesIO())
        self.assertEqual(str(caught.exception), "Deploying needs cloudpickle: pip install cloudpickle")

    @unittest.skipIf(cloudpickle is None, "cloudpickle is not installed")
    def test_an_archive_is_built_like_those_of_tabpys_client(self):
        file = io.BytesIO()
        namespace = {"__name__": "__main__"}
        exec("def add(x, y):\n    'Add two numbers.'\n    return x + y", namespace)
        write_archive(CustomQueryObject(namespace["add"], ""), file)
        self.assertEqual(_outline(file.getvalue()), _outline(golden("add")))

    @unittest.skipIf(cloudpickle is None, "cloudpickle is not installed")
    def test_an_archive_contains_what_the_function_uses(self):
        factor = [2]
        file = io.BytesIO()
        versions = write_archive(CustomQueryObject(lambda x: documented(x) * factor[0]), file)
        self.assertEqual(versions["cloudpickle_version"], cloudpickle.__version__)
        self.assertEqual(versions["python_version"], "%d.%d.%d" % sys.version_info[:3])
        factor[0] = 5
        self.assertEqual(pickle.loads(file.getvalue()).query(3), 6)

    @unittest.skipIf(cloudpickle is None or sys.version_info[:2] != (3, 11), "they were made with CPython 3.11")
    def test_archives_of_tabpys_client_load(self):
        for name, arguments, expected in (("add", (1, 2), 3), ("add_v2", (1, 2), 103), ("defaults", (1,), None),
                                          ("unicode_doc", None, None), ("echo", None, None)):
            with self.subTest(name):
                loaded = pickle.loads(golden(name))
                self.assertIs(type(loaded), CustomQueryObject)
                self.assertEqual(sorted(vars(loaded)), ["custom_query", "description"])
                if expected is not None:
                    self.assertEqual(loaded.query(*arguments), expected)
                self.assertIsInstance(loaded.get_docstring(), str)


def _outline(archive):
    """The instructions of a pickle up to the function's own code, which differs from version to version."""
    outline = []
    for opcode, argument, _ in pickletools.genops(archive):
        if argument == "_make_function":
            return outline
        outline.append((opcode.name, None if opcode.name == "FRAME" else argument))
    raise AssertionError("no function in it")
