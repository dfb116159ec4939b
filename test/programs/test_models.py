"""From archives to query objects, and the messages for those that don't load: models.py."""

import os
import pickle
import platform
import sys
import tempfile
import threading
import types
import unittest
from unittest import mock

import archives
from _tabpy_worker import models
from tabpy.tabpy_tools.custom_query_object import CustomQueryObject

HERE = platform.python_version()


class ModelTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = archives.Folder(folder.name)

    def constant(self, value, name="f", version=1):
        return self.folder.model(archives.function("def f(): return %r" % (value,)), name, version)

    def reason(self, archive, facts=None):
        """Why an archive doesn't load."""
        with self.assertRaises(models.NotLoaded) as caught:
            models.load(self.folder.model(archive, facts=facts))
        return str(caught.exception)


class LoadTest(ModelTest):
    def test_returns_the_query_object(self):
        model = self.folder.model(archives.function("def f(x, y=2): return x * y"))
        self.assertEqual(models.load(model).query(3), 6)
        self.assertEqual(models.load(model).query(x=3, y=4), 12)

    def test_accepts_any_object_with_a_query_method(self):
        archive = archives.expression("__import__('types').SimpleNamespace(query=len)")
        self.assertEqual(models.load(self.folder.model(archive)).query("abc"), 3)

    def earlier(self, module):
        """An archive of a client before TabPy 0.8: protocol 2 has the names of modules as text."""
        query_object = CustomQueryObject(len, "words")
        archive = pickle.dumps(query_object, protocol=2)
        return self.folder.model(archive.replace(b"ctabpy.tabpy_tools.custom_query_object", b"c" + module))

    def test_loads_archives_of_earlier_clients(self):
        for module in (b"tabpy_client.custom_query_object", b"tabpy_tools.custom_query_object"):
            with self.subTest(module):
                found = models.load(self.earlier(module))
                self.assertEqual((found.query([1, 2]), found.get_description()), (2, "words"))

    def test_prefers_an_earlier_client_that_can_be_imported(self):
        class Own(CustomQueryObject):
            pass
        module = types.ModuleType("tabpy_tools.custom_query_object")
        module.CustomQueryObject = Own
        package = types.ModuleType("tabpy_tools")
        with mock.patch.dict(sys.modules, {"tabpy_tools": package, module.__name__: module}):
            self.assertIs(type(models.load(self.earlier(b"tabpy_tools.custom_query_object"))), Own)

    def test_survives_an_earlier_client_that_cannot_be_imported(self):
        for source in ("import collections\ncollections.MutableMapping_of_old", "raise ValueError", "("):
            with self.subTest(source), tempfile.TemporaryDirectory() as folder:
                with open(os.path.join(folder, "tabpy_client.py"), "w") as file:
                    file.write(source)
                with mock.patch.object(sys, "path", [folder, *sys.path]):
                    found = models.load(self.earlier(b"tabpy_client.custom_query_object"))
                self.assertIs(type(found), CustomQueryObject)

    def test_names_the_module_of_an_earlier_client_that_is_not_there(self):
        for module in (b"tabpy_client.none", b"tabpy_client", b"tabpy_clients.custom_query_object"):
            with self.subTest(module), self.assertRaisesRegex(models.NotLoaded, "No module named 'tabpy_client"):
                models.load(self.earlier(module))

    def test_names_what_an_archive_lacks(self):
        for archive, reason in (
            (pickle.dumps({}), "'dict' object has no attribute 'query'"),
            (pickle.dumps(None), "'NoneType' object has no attribute 'query'"),
            (archives.expression("__import__('types').SimpleNamespace(query=5)"),
             "'SimpleNamespace' object has no attribute 'query'"),
            (b"", "Ran out of input"),
            (b"no pickle at all", "invalid load key, 'n'."),
            (archives.function("def f(): pass")[:-20], "pickle data was truncated"),
        ):
            with self.subTest(archive[:20]):
                self.assertIn(reason, self.reason(archive))

    def test_survives_whatever_a_pickle_raises(self):
        for source, reason in (
            ("raise ValueError('é😀')", "é😀"),
            ("raise ValueError", "ValueError"),
            ("import sys\nsys.exit('bye')", "bye"),
            ("raise SystemExit", "SystemExit"),
            ("raise KeyboardInterrupt", "KeyboardInterrupt"),
            ("raise GeneratorExit", "GeneratorExit"),
            ("def f(): f()\nf()", "maximum recursion depth exceeded"),
            ("class E(BaseException):\n  def __str__(self): raise KeyboardInterrupt\nraise E", "E"),
            ("class E(Exception):\n  def __str__(self): return 5\nraise E", "E"),
        ):
            with self.subTest(source):
                self.assertIn(reason, self.reason(archives.statements(source)))
        broken = "type('Q', (), {'query': property(lambda self: 1 / 0)})()"
        self.assertEqual(self.reason(archives.expression(broken)), "division by zero")

    def test_names_the_interpreter_that_looked_for_a_missing_module(self):
        self.assertEqual(self.reason(archives.statements("import no_such_module_anywhere")),
                         "No module named 'no_such_module_anywhere' (looked for by %s)" % sys.executable)

    def test_reports_a_missing_archive(self):
        model = self.constant(1)
        os.remove(model["archive"])
        with self.assertRaisesRegex(models.NotLoaded, "No such file"):
            models.load(model)


class VersionTest(ModelTest):
    def setUp(self):
        super().setUp()
        # Independent of what this Python has: these tests set the version.
        cloudpickle = types.ModuleType("cloudpickle")
        cloudpickle.__version__ = "3.1.2"
        patch = mock.patch.dict(sys.modules, {"cloudpickle": cloudpickle})
        patch.start()
        self.addCleanup(patch.stop)
        self.failing = archives.statements("raise ValueError('no')")
        self.here = "loaded with Python %s and cloudpickle 3.1.2" % HERE

    def test_names_both_versions_when_they_differ(self):
        for facts, made in (
            ({"python": "3.1.0", "cloudpickle": "3.1.2"}, "Python 3.1.0 and cloudpickle 3.1.2"),
            ({"python": HERE, "cloudpickle": "1.0.0"}, "Python %s and cloudpickle 1.0.0" % HERE),
            ({"python": "2.7.18"}, "Python 2.7.18 and cloudpickle of an unknown version"),
            ({"cloudpickle": "3.0"}, "Python of an unknown version and cloudpickle 3.0"),
        ):
            with self.subTest(facts):
                self.assertEqual(self.reason(self.failing, facts), "no; deployed with %s, %s" % (made, self.here))

    def test_omits_versions_that_read_each_other(self):
        major, minor, _ = platform.python_version_tuple()
        for patch in ("0", "99"):
            facts = {"python": "%s.%s.%s" % (major, minor, patch), "cloudpickle": "3.1.0"}
            self.assertEqual(self.reason(self.failing, facts), "no")

    def test_omits_versions_that_were_not_recorded(self):
        self.assertEqual(self.reason(self.failing), "no")

    def test_reports_unknown_versions_for_an_error_that_suggests_a_mismatch(self):
        for source, text in (
            ("raise TypeError('code() argument 13 must be str, not int')", "code() argument 13 must be str, not int"),
            ("raise ValueError('unsupported pickle protocol: 9')", "unsupported pickle protocol: 9"),
            ("raise AttributeError(\"Can't get attribute '_make_skel_func'\")", "Can't get attribute '_make_skel_func'"),
        ):
            with self.subTest(source):
                self.assertEqual(
                    self.reason(archives.statements(source)),
                    "%s; deployed with an unknown Python and cloudpickle, %s" % (text, self.here))
        self.assertEqual(self.reason(archives.statements("raise OSError('code() argument')")), "code() argument")

    def test_names_a_pickle_protocol_of_a_later_python(self):
        self.assertEqual(self.reason(b"\x80\x7f.", {"python": "3.99.0"}),
                         "unsupported pickle protocol: 127; deployed with Python 3.99.0 and cloudpickle of an unknown "
                         "version, " + self.here)

    def test_ignores_deployment_facts_of_a_wrong_shape(self):
        for facts in (b"", b"{", b"\xff", b"[" * 100000, b"5", b"null", b'"python"', b'["python"]', b"{}",
                      b'{"python": 5}', b'{"python": null}', b'{"python": ["3.9"]}', b'{"python": {"a": 1}}',
                      b'{"python": true, "cloudpickle": [1]}'):
            with self.subTest(facts[:30]):
                self.assertEqual(self.reason(self.failing, facts), "no")

    def test_truncates_long_deployment_facts(self):
        self.assertIn("Python %s and" % ("x" * 64), self.reason(self.failing, {"python": "x" * 1000}))


class ModelCacheTest(ModelTest):
    def test_loads_an_archive_once(self):
        cache, model = models.ModelCache(2, models.load), self.constant(1)
        found = cache.get(model)
        os.remove(model["archive"])
        self.assertIs(cache.get(dict(model)), found)

    def test_evicts_the_least_recently_used_beyond_its_size(self):
        cache = models.ModelCache(2, models.load)
        first, second, third = (self.constant(name, name) for name in "abc")
        kept = cache.get(first)
        dropped = cache.get(second)
        self.assertIs(cache.get(first), kept)
        cache.get(third)
        self.assertIs(cache.get(first), kept)
        self.assertIsNot(cache.get(second), dropped)

    def test_loads_another_archive_of_the_same_name(self):
        cache = models.ModelCache(3, models.load)
        old, new, version = self.constant(1), self.constant(2), self.constant(3, version=2)
        for model, value in ((old, 1), (new, 2), (version, 3)):
            self.assertEqual(cache.get(model).query(), value)

    def test_evicts_the_old_archive_when_it_loads_another_of_the_same_name(self):
        cache = models.ModelCache(3, models.load)
        other = self.constant(0, "other")
        kept, old = cache.get(other), cache.get(self.constant(1))
        first = self.constant(2)
        cache.get(first)
        cache.get(self.constant(3))
        self.assertIs(cache.get(other), kept)
        self.assertIsNot(cache.get(first), old)
        self.assertEqual(len(cache._objects), 2)

    def test_keeps_the_old_archive_when_the_new_one_does_not_load(self):
        cache, old = models.ModelCache(1, models.load), self.constant(1)
        kept = cache.get(old)
        with self.assertRaises(models.NotLoaded):
            cache.get(self.folder.model(b""))
        self.assertIs(cache.get(old), kept)

    def test_may_be_called_from_threads(self):
        cache = models.ModelCache(2, models.load)
        described = [self.constant(at, "f%d" % (at % 3)) for at in range(6)]
        failures = []

        def work(seed):
            try:
                for at in range(3000):
                    value = (at * seed) % 6
                    if cache.get(described[value]).query() != value:
                        errors.append(value)
            except BaseException as error:
                errors.append(error)

        switching = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 5, 7, 11, 13, 17)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(switching)
        self.assertEqual(failures, [])
        self.assertLessEqual(len(cache._objects), 2)
