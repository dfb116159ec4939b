"""How the client deploys: to a TabPy that takes uploads, and to an old one that doesn't."""

import json
import os
import pickle
import platform
import threading
import unittest

from old_tabpy import NO_DOCSTRING, OldTabPy
from tabpy.tabpy_tools.client import Client, LoadError, ResponseError
from tabpy.tabpy_tools.query_object import QueryObject

try:
    import cloudpickle
except ImportError:
    cloudpickle = None


def add(x, y):
    """Adds."""
    return x + y


class Model(QueryObject):
    def query(self, x):
        return [self.description, x]


@unittest.skipIf(cloudpickle is None, "cloudpickle is not installed")
class DeployTest(unittest.TestCase):
    def setUp(self):
        self.tabpy = self.enter(OldTabPy(takes_uploads=True, waits=True))
        self.client = Client(self.tabpy.url)

    def enter(self, context):
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def test_deploy_uploads_registers_and_waits(self):
        self.assertIsNone(self.client.deploy("add", add, "Adds two"))
        self.assertEqual(self.tabpy.asked(), [
            "GET /endpoints/add", "GET /configurations/endpoint_upload_destination",
            "PUT /configurations/endpoint_upload_destination/endpoints/add/1/pickle_archive", "POST /endpoints",
            "GET /status"])
        sent = self.tabpy.body_of("POST")
        self.assertEqual(sent, {
            "name": "add", "type": "model", "src_path": os.path.join(self.tabpy.folder, "endpoints", "add", "1"),
            "version": 1, "description": "Adds two", "docstring": "Adds.", "methods": [{"method": "query"}],
            "dependencies": [], "python_version": platform.python_version(),
            "cloudpickle_version": cloudpickle.__version__})
        self.assertEqual(self.client.query("add", 3, 4), {"response": 7, "version": 1, "model": "add", "uuid": "u"})
        self.assertEqual(self.client.query("add", y=4, x=3)["response"], 7)

    def test_deploy_writes_to_the_disk_of_a_tabpy_that_takes_no_uploads(self):
        self.tabpy.takes_uploads = self.tabpy.waits = False
        self.client.deploy("my add-1_x", add)
        folder = os.path.join(self.tabpy.folder, "endpoints", "my add-1_x", "1")
        self.assertEqual(os.listdir(folder), ["pickle_archive"])
        self.assertEqual(self.tabpy.body_of("POST")["src_path"], folder)
        self.assertEqual(self.client.query("my add-1_x", 3, 4)["response"], 7)

    def test_deploy_does_not_write_to_the_disk_of_another_machine(self):
        self.tabpy.takes_uploads = False
        connection = Client(self.tabpy.url, remote_server=True, localhost_endpoint="http://localhost:9004/")
        with self.assertRaises(RuntimeError) as caught:
            connection.deploy("add", add)
        self.assertIn("takes no uploads", str(caught.exception))
        self.assertFalse(os.path.exists(self.tabpy.folder))
        for folder in ("/no/such/state/staging", "C:\\state\\staging"):
            self.tabpy.folder = folder
            with self.subTest(folder), self.assertRaises(RuntimeError) as caught:
                self.client.deploy("add", add)
            self.assertIn(folder, str(caught.exception))

    def test_remote_server_uploads_where_it_can(self):
        Client(self.tabpy.url, remote_server=True, localhost_endpoint="http://localhost:9004/").deploy("add", add)
        self.assertEqual(self.client.query("add", 1, 1)["response"], 2)

    def test_override_makes_the_next_version_and_sends_what_was_given(self):
        self.client.deploy("add", add, "Adds two", {"a": 1}, is_public=True)
        self.client.deploy("add", lambda x, y: x + y + 100, override=True)
        sent = self.tabpy.body_of("PUT")
        self.assertEqual((sent["should_update_version"], sent["version"], sent["docstring"]), (True, 2, NO_DOCSTRING))
        for member in ("description", "schema", "is_public"):
            self.assertNotIn(member, sent)
        endpoint = self.client.get_endpoints()["add"]
        self.assertEqual((endpoint["description"], endpoint["schema"], endpoint["is_public"], endpoint["version"]),
                         ("Adds two", {"a": 1}, True, 2))
        self.assertEqual(self.client.query("add", 3, 4)["response"], 107)
        self.client.deploy("add", add, "", override=True, is_public=False)
        endpoint = self.client.get_endpoints()["add"]
        self.assertEqual((endpoint["description"], endpoint["is_public"], endpoint["version"]), ("", False, 3))

    def test_a_name_that_is_taken_needs_override(self):
        self.client.deploy("add", add)
        self.tabpy.requests.clear()
        with self.assertRaises(RuntimeError) as caught:
            self.client.deploy("add", add)
        self.assertEqual(str(caught.exception), "Endpoint 'add' already exists: give override=True to replace it")
        self.assertEqual(self.tabpy.asked(), ["GET /endpoints/add"])

    def test_override_of_a_name_that_is_free_deploys(self):
        self.client.deploy("add", add, override=True)
        self.assertEqual(self.client.query("add", 3, 4)["response"], 7)

    def test_a_name_or_object_that_cannot_be_deployed_is_refused_before_anything_is_sent(self):
        for name, obj, kind in (
            ("", add, ValueError), ("a/b", add, ValueError), ("../../up", add, ValueError), ("größe", add, ValueError),
            ("add\n", add, ValueError), (None, add, TypeError), (5, add, TypeError),
            ("five", 5, TypeError), ("none", None, TypeError),
        ):
            with self.subTest(name, obj=obj), self.assertRaises(kind):
                self.client.deploy(name, obj)
        lock = threading.Lock()
        with self.assertRaises(pickle.PicklingError) as caught:
            self.client.deploy("locked", lambda: lock.locked())
        self.assertIn("Cannot save '<lambda>': ", str(caught.exception))
        self.assertNotIn("POST", [request[0] for request in self.tabpy.requests])
        self.assertFalse(os.path.exists(self.tabpy.folder))

    def test_a_query_object_is_deployed_as_it_is(self):
        self.client.deploy("model", Model("words"))
        self.assertEqual(self.client.query("model", [1])["response"], ["words", [1]])

    def test_deploy_raises_the_reason_when_the_server_cannot_load(self):
        self.tabpy.failure = "No module named 'missing'"
        with self.assertRaises(LoadError) as caught:
            self.client.deploy("add", add)
        self.assertEqual(str(caught.exception), "The server cannot load 'add': No module named 'missing'")
        self.assertIsInstance(caught.exception, RuntimeError)

    def test_deploy_polls_an_old_server_until_it_has_loaded(self):
        self.tabpy.takes_uploads = self.tabpy.waits = False
        self.tabpy.loading = 4
        self.client.deploy("add", add)
        self.assertEqual(self.tabpy.asked().count("GET /status"), 5)

    def test_deploy_waits_for_its_own_version_not_for_the_one_before(self):
        for self.tabpy.waits in (True, False):
            with self.subTest(waits=self.tabpy.waits):
                self.client.deploy("add", add, override=True)
                self.tabpy.requests.clear()
                self.tabpy.behind = 3
                self.client.deploy("add", add, override=True)
                self.assertEqual(self.tabpy.asked().count("GET /status"), 4)

    def test_deploy_waits_no_longer_than_load_timeout(self):
        self.tabpy.takes_uploads = self.tabpy.waits = False
        self.tabpy.loading = 1 << 60
        with self.assertRaises(TimeoutError) as caught:
            Client(self.tabpy.url, load_timeout=0.1).deploy("add", add)
        self.assertIn("'add' is not loaded after 0.1 s", str(caught.exception))

    def test_an_upload_that_is_too_large_raises_the_servers_error(self):
        self.tabpy.max_upload = 100
        with self.assertRaises(ResponseError) as caught:
            self.client.deploy("add", add)
        self.assertEqual((caught.exception.status_code, caught.exception.info), (413, "limit of 100"))
        self.assertEqual(self.client.get_endpoints(), {})

    def test_an_answer_before_the_end_of_the_upload_is_read(self):
        self.tabpy.answers_early = True
        ballast = bytes(8 << 20)
        with self.assertRaises(ResponseError) as caught:
            self.client.deploy("large", lambda: ballast)
        self.assertEqual((caught.exception.status_code, caught.exception.message), (413, "too large"))

    def test_remove(self):
        self.client.deploy("add", add)
        self.client.remove("add")
        self.assertEqual(self.client.get_endpoints(), {})
        with self.assertRaises(ResponseError) as caught:
            self.client.remove("add")
        self.assertEqual(caught.exception.message, "endpoint add does not exist.")
        self.client.deploy("add", lambda x, y: [x, y])
        self.assertEqual(self.client.query("add", 1, 2), {"response": [1, 2], "version": 1, "model": "add", "uuid": "u"})

    def test_alias_gives_a_second_name_and_points_it_elsewhere(self):
        self.client.deploy("add", add)
        self.client.deploy("first", lambda x, y: x)
        self.client.alias("plus", "add")
        self.assertEqual(self.tabpy.body_of("POST"), {
            "name": "plus", "type": "alias", "target": "add", "dependencies": ["add"], "description": "Alias for add"})
        self.assertEqual(self.client.query("plus", 3, 4)["response"], 7)
        self.client.alias("plus", "first", "Another")
        self.assertEqual(self.client.query("plus", 3, 4)["response"], 3)
        self.assertEqual(self.client.get_endpoints("alias")["plus"]["description"], "Another")
        with self.assertRaises(RuntimeError):
            self.client.alias("add", "first")

    def test_update_endpoint_info_changes_only_what_is_given(self):
        self.client.deploy("add", add, "Adds", {"a": 1})
        self.client.update_endpoint_info("add", description="Adds two", is_public=True)
        sent = self.tabpy.body_of("PUT")
        self.assertIs(sent["should_update_version"], False)
        self.assertNotIn("schema", sent)
        endpoint = self.client.get_endpoints()["add"]
        self.assertEqual((endpoint["description"], endpoint["is_public"], endpoint["schema"], endpoint["version"],
                          endpoint["docstring"]), ("Adds two", True, {"a": 1}, 1, "Adds."))
        self.client.alias("plus", "add")
        self.client.update_endpoint_info("plus", description="More")
        self.assertEqual(self.client.get_endpoints()["plus"]["target"], "add")
        with self.assertRaises(ValueError):
            self.client.update_endpoint_info("add")
        with self.assertRaises(ResponseError) as caught:
            self.client.update_endpoint_info("gone", description="x")
        self.assertEqual(caught.exception.message, "Unknown endpoint")


class QueryTest(unittest.TestCase):
    def setUp(self):
        self.tabpy = OldTabPy().__enter__()
        self.addCleanup(self.tabpy.__exit__, None, None, None)
        self.client = Client(self.tabpy.url)

    def sent(self, /, *args, **kwargs):
        with self.assertRaises(ResponseError) as caught:
            self.client.query("a name/é", *args, **kwargs)
        self.assertEqual(caught.exception.message, "UnknownURI")
        self.assertEqual(self.tabpy.requests[-1][1], "/query/a%20name%2F%C3%A9")
        return json.loads(self.tabpy.requests[-1][3])

    def test_query_sends_arguments_by_position_or_by_name(self):
        self.assertEqual(self.sent(1, "é"), {"data": [1, "é"]})
        self.assertEqual(self.sent(x=[1], name2=None), {"data": {"x": [1], "name2": None}})
        self.assertEqual(self.sent(), {"data": []})

    def test_query_sends_arguments_of_any_name(self):
        for name in ("self", "query", "name", "args", "kwargs", "data"):
            with self.subTest(name):
                self.assertEqual(self.sent(**{name: 1}), {"data": {name: 1}})

    def test_query_takes_its_own_name_by_keyword_too(self):
        for keywords, data in (({}, []), ({"x": 1}, {"x": 1}), ({"self": 1}, {"self": 1})):
            with self.subTest(keywords), self.assertRaises(ResponseError):
                self.client.query(name="add", **keywords)
            self.assertEqual((self.tabpy.requests[-1][1], json.loads(self.tabpy.requests[-1][3])), ("/query/add", {"data": data}))
        with self.assertRaisesRegex(TypeError, "'name'"):
            self.client.query(x=1)

    def test_query_refuses_both_together(self):
        with self.assertRaises(ValueError):
            self.client.query("add", 1, y=2)
        self.assertEqual(self.tabpy.requests, [])

    def test_query_refuses_an_invalid_name(self):
        for name in ("", None, 5):
            with self.subTest(name), self.assertRaises(TypeError):
                self.client.query(name, 1)
