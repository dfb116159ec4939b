"""Deployed functions in a real worker: /query, loads, and `tabpy.query` in scripts."""

import json
import os
import socket
import sys
import tempfile
import unittest

import archives
from worker_process import OWN_URL, WorkerProcess

posix_only = unittest.skipUnless(os.name == "posix", "processes of POSIX")

NOT_LOADED = "There is no query object associated to the endpoint: "
# Sets the lowest recursion limit that Python allows there.
LOWEST_LIMIT = """
import sys
limit = 1
while sys.getrecursionlimit() != limit:
  try:
    sys.setrecursionlimit(limit)
  except RecursionError:
    limit += 1
"""
QUERY = "return tabpy.query(_arg1, *_arg2)"


def failure(name, error):
    return {"message": "Error querying function '%s'" % name,
            "info": {"uri": name, "error": error, "type": "QueryFailed"}}


class DeployedTest(unittest.TestCase):
    """Calls on one worker; each test deploys what it needs under names of its own."""

    @classmethod
    def setUpClass(cls):
        cls.worker = WorkerProcess()
        cls.addClassCleanup(cls.worker.close)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = archives.Folder(folder.name)
        self.worker.endpoints.clear()
        self.worker.asked.clear()
        self.worker.revision += 1

    def model(self, source, name="f", version=1):
        return self.folder.model(archives.function(source), name, version)

    def deploy(self, source, name="f", version=1):
        """Make a function available to scripts."""
        self.worker.endpoints[name] = {"kind": "model", "model": self.model(source, name, version)}

    def answer_of(self, script, *arguments):
        """What a script with one query returns, without the id of the answer."""
        answer = self.worker.value(script, *arguments)
        answer.pop("uuid", None)
        return answer


class QueryTest(DeployedTest):
    def test_answers_with_the_response(self):
        model = self.model("def f(x, y=2): return [x, y]", "two words", 7)
        for data, response in (([1], [1, 2]), ([1, 3], [1, 3]), ({"y": 1, "x": None}, [None, 1])):
            with self.subTest(data):
                header, answer = self.worker.query(model, data)
                self.assertEqual(answer, {"response": response, "version": 7, "model": "two words", "uuid": "the-call"})
                self.assertEqual(header["kind"], "result")
                self.assertRegex(header["etag"], '^"[0-9a-f]{32}"$')

    def test_an_etag_is_that_of_the_response_alone(self):
        model = self.model("def f(x): return x")
        etags = [self.worker.query(model, [x], uuid)[0]["etag"] for x, uuid in ((1, "a"), (1, "b"), (2, "a"))]
        self.assertEqual(etags[0], etags[1])
        self.assertNotEqual(etags[0], etags[2])

    def test_keeps_a_function_between_calls(self):
        model = self.model("calls = []\ndef f():\n  calls.append(1)\n  return len(calls)")
        self.assertEqual([self.worker.query(model, [])[1]["response"] for _ in range(3)], [1, 2, 3])
        os.remove(model["archive"])
        self.assertEqual(self.worker.query(model, [])[1]["response"], 4)

    def test_another_archive_of_the_name_serves_at_once(self):
        for version, value in ((1, "a"), (1, "b"), (2, "c")):
            model = self.model("def f(): return %r" % value, "f", version)
            self.assertEqual(self.worker.query(model, [])[1]["response"], value)

    def test_replies_with_what_the_function_raises(self):
        for source, kind, message in (
            ("def f(): raise ValueError('é')", "ValueError", "é"),
            ("def f(x): pass", "TypeError", "f() missing 1 required positional argument: 'x'"),
            ("import sys\ndef f(): sys.exit(3)", "SystemExit", "3"),
            ("def f(): raise KeyboardInterrupt", "KeyboardInterrupt", ""),
            ("def f(): return 1j", "TypeError", "Result from object query is not json serializable: 1j"),
            ("import sys\ndef f():\n  sys.setrecursionlimit(60)\n  f2()\ndef f2(): f2()", "RecursionError",
             "maximum recursion depth exceeded"),
        ):
            with self.subTest(source):
                header, raised = self.worker.query(self.model(source), [])
                self.assertEqual(header, {"id": header["id"], "kind": "raised"})
                self.assertEqual((raised["type"], raised["line"]), (kind, None))
                self.assertTrue(raised["message"].startswith(message), raised["message"])
                self.assertNotIn("isNotLoaded", raised)

    def test_reports_an_archive_that_does_not_load(self):
        for archive, message in (
            (b"no pickle", "invalid load key, 'n'."),
            (archives.statements("raise SystemExit('bye')"), "bye"),
            (archives.statements("import no_such_module"),
             "No module named 'no_such_module' (looked for by %s)" % sys.executable),
        ):
            with self.subTest(archive[:30]):
                model = self.folder.model(archive)
                for header, raised in (self.worker.query(model, []), self.worker.load(model)):
                    self.assertEqual(header["kind"], "raised")
                    self.assertEqual(raised, {"type": "NotLoaded", "message": message, "line": None, "frames": [],
                                              "isNotLoaded": True})

    def test_explains_a_pickle_that_left_a_low_recursion_limit(self):
        model = self.folder.model(archives.statements(LOWEST_LIMIT + "raise TypeError('code() argument')"))
        for header, raised in (self.worker.query(model, []), self.worker.load(model)):
            self.assertEqual(header["kind"], "raised")
            self.assertTrue(raised["message"].startswith("code() argument; deployed with"), raised["message"])

    def test_checks_only_the_body_for_an_unknown_name(self):
        self.assertEqual(self.worker.query(None, [])[0]["kind"], "result")
        self.assertEqual(self.worker.query(None, b"{}")[0]["kind"], "rejected")

    def test_checks_the_body_first(self):
        model = self.folder.model(b"no pickle")
        self.assertEqual(self.worker.query(model, b"")[1], {"message": "Input body cannot be empty", "info": {}})

    def test_load_keeps_nothing(self):
        path = os.path.join(self.worker.folder, "loads")
        model = self.model("with open(%r, 'a') as file: file.write('x')\ndef f(): pass" % path)
        for _ in range(2):
            self.assertEqual(self.worker.load(model)[0]["kind"], "result")
        with open(path) as file:
            self.assertEqual(file.read(), "xx")

    def test_threads_of_a_functions_libraries_are_not_leftovers(self):
        start = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        model = self.model(start + "def f(): return 1")
        self.assertNotIn("leftovers", self.worker.query(model, [])[0])
        self.worker.endpoints["g"] = {"kind": "model", "model": self.model(start + "def f(): return 2", "g")}
        header, answer = self.worker.evaluate("return tabpy.query('g')['response']")
        self.assertEqual((header, answer), ({"id": header["id"], "kind": "result"}, 2))
        header, _ = self.worker.load(self.folder.model(archives.function(start + "def f(): return 3")))
        self.assertEqual(header, {"id": header["id"], "kind": "result"})

    @posix_only
    def test_a_pickle_that_ends_the_process_ends_nothing_else(self):
        with WorkerProcess() as worker:
            self.assertIsNone(worker.load(self.folder.model(archives.statements("import os\nos._exit(3)"))))


    def test_any_name_of_an_argument_reaches_the_function(self):
        names = ("self", "query", "name", "args", "kwargs", "query_object", "custom_query", "data", "model")
        everything = self.model("def f(**arguments): return arguments")
        self.assertEqual(self.worker.query(everything, dict.fromkeys(names, 1))[1]["response"], dict.fromkeys(names, 1))
        for name in names:
            with self.subTest(name):
                model = self.model("def f(%s): return [%s]" % (name, name), version=2)
                self.assertEqual(self.worker.query(model, {name: 5})[1]["response"], [5])


class TabPyQueryTest(DeployedTest):
    def test_any_name_of_an_argument_reaches_the_function(self):
        names = ("self", "query", "name", "args", "kwargs", "data", "model")
        self.deploy("def f(**arguments): return sorted(arguments)")
        for name in names:
            with self.subTest(name):
                self.assertEqual(self.worker.value("return tabpy.query('f', %s=1)['response']" % name), [name])
        keywords = ", ".join("%s=1" % name for name in names)
        self.assertEqual(self.worker.value("return tabpy.query('f', %s)['response']" % keywords), sorted(names))

    def test_the_name_of_the_function_may_be_a_keyword(self):
        self.deploy("def f(*args, **kwargs): return [args, kwargs]")
        for arguments, response in (("name='f'", [[], {}]), ("name='f', x=1", [[], {"x": 1}]),
                                    ("x=1, name='f', self=2", [[], {"x": 1, "self": 2}])):
            with self.subTest(arguments):
                self.assertEqual(self.worker.value("return tabpy.query(%s)['response']" % arguments), response)
        for arguments in ("", "x=1"):
            with self.subTest(arguments):
                header, raised = self.worker.evaluate("return tabpy.query(%s)" % arguments)
                self.assertEqual((header["kind"], raised["type"], raised["message"]),
                                 ("raised", "TypeError", "TabPy.query() missing 1 required positional argument: 'name'"))

    def test_returns_the_whole_answer(self):
        self.deploy("def f(*args, **kwargs): return [args, kwargs]", "two words", 3)
        answer = self.worker.value("return tabpy.query('two words', 1, [2])")
        self.assertRegex(answer.pop("uuid"), "^[0-9a-f-]{36}$")
        self.assertEqual(answer, {"response": [[1, [2]], {}], "version": 3, "model": "two words"})
        for arguments, response in (
            ("", [[], {}]), (", x=1, name=2", [[], {"x": 1, "name": 2}]), (", 1, x=2", [[1], {}]),
        ):
            with self.subTest(arguments):
                self.assertEqual(self.worker.value("return tabpy.query('two words'%s)['response']" % arguments), response)

    def test_an_alias_answers_as_its_target(self):
        self.worker.endpoints["alias"] = {"kind": "model", "model": self.model("def f(): return 1", "target")}
        self.assertEqual(self.answer_of(QUERY, "alias", []), {"response": 1, "version": 1, "model": "target"})
        self.assertEqual(self.answer_of(QUERY, "alias", [5]),
                         failure("target", "TypeError : f() takes 0 positional arguments but 1 was given"))

    def test_arguments_and_results_are_as_after_a_trip_through_json(self):
        self.deploy("def f(x): return [type(x).__name__, x != x, x]")
        for value, expected in (
            ("(1, 2)", ["list", False, [1, 2]]), ("{1: 2}", ["dict", False, {"1": 2}]), ("None", ["NoneType", False, None]),
            ("float('nan')", ["float", True, None]), ("2**70", ["int", False, 2 ** 70]),
        ):
            with self.subTest(value):
                self.assertEqual(self.worker.value("return tabpy.query('f', %s)['response']" % value), expected)
        self.deploy("def f(): return ({1: (2,)}, float('inf'))", "g")
        self.assertEqual(self.worker.value("r = tabpy.query('g')['response']\nreturn [repr(r)]"), ["[{'1': [2]}, None]"])

    def test_function_and_script_share_nothing(self):
        self.deploy("kept = [1]\ndef f(x):\n  x.append(2)\n  return kept")
        self.assertEqual(self.worker.value(
            "mine = [1]\nfirst = tabpy.query('f', mine)['response']\nfirst.append('changed')\n"
            "return [mine, tabpy.query('f', mine)['response']]"), [[1], [1]])

    def test_raises_for_arguments_that_json_cannot_represent(self):
        self.deploy("def f(x): return x")
        header, raised = self.worker.evaluate("tabpy.query('f', object())")
        self.assertEqual((header["kind"], raised["type"], raised["line"]), ("raised", "TypeError", 1))

    def test_answers_an_unknown_name_as_the_server_does(self):
        for name, text in (("nothing", "nothing"), ("é😀", "é😀"), ("\ud800", "\ud800")):
            with self.subTest(name):
                self.assertEqual(self.answer_of(QUERY, name, []),
                                 {"message": "UnknownURI", "info": "Endpoint '%s' does not exist" % text})
        self.assertEqual(self.worker.asked, ["nothing", "é😀", "\\ud800"])
        self.assertEqual(self.answer_of("return tabpy.query(('a', 1))")["info"], "Endpoint '('a', 1)' does not exist")

    def test_answers_what_cannot_be_called_as_the_server_does(self):
        self.worker.endpoints["f"] = {"kind": "unusable", "name": "target", "reason": "the reason"}
        self.assertEqual(self.answer_of(QUERY, "f", []), failure("target", "the reason"))

    def test_answers_what_the_function_raises_as_the_server_does(self):
        for source, error in (("def f(): raise ValueError('no')", "ValueError : no"),
                              ("import sys\ndef f(): sys.exit(1)", "SystemExit : 1"),
                              ("def f(x): pass", "TypeError : f() missing 1 required positional argument: 'x'"),
                              ("def f(): return 1j", "TypeError : Result from object query is not json serializable: 1j")):
            with self.subTest(source):
                self.deploy(source)
                self.worker.revision += 1
                self.assertEqual(self.answer_of(QUERY, "f", []), failure("f", error))

    def test_a_failed_answer_is_a_dict_that_explains_its_missing_response(self):
        self.deploy("def f(): raise ValueError('no')")
        for name, cause in (("f", "Error querying function 'f': ValueError : no"), ("g", "Endpoint 'g' does not exist")):
            with self.subTest(name):
                header, raised = self.worker.evaluate("\nreturn tabpy.query(_arg1)['response']", name)
                self.assertEqual((header["kind"], raised["type"], raised["message"], raised["line"], raised["cause"]),
                                 ("raised", "MissingResponse", "'response'", 2, cause))
        self.assertEqual(self.worker.value(
            "r = tabpy.query('g')\nfound = ['response' in r, r.get('response', 5), sorted(r)]\n"
            "try:\n  r['response']\nexcept KeyError as error:\n  found.append(str(error))\n"
            "try:\n  r['other']\nexcept KeyError as error:\n  found.append(type(error).__name__)\nreturn found"),
            [False, 5, ["info", "message"], "'response'", "KeyError"])

    def test_asks_once_per_name_and_revision(self):
        self.deploy("def f(): return 1")
        script = "return [tabpy.query('f')['response'] for _ in range(3)]"
        self.assertEqual(self.worker.value(script), [1, 1, 1])
        self.assertEqual(self.worker.value(script), [1, 1, 1])
        self.assertEqual(self.worker.asked, ["f"])
        self.deploy("def f(): return 2")
        self.assertEqual(self.worker.value(script), [1, 1, 1])
        self.worker.revision += 1
        self.assertEqual(self.worker.value(script), [2, 2, 2])
        self.assertEqual(self.worker.asked, ["f", "f"])

    def test_asks_again_for_a_name_that_was_unknown(self):
        model = {"kind": "model", "model": self.model("def f(): return 1")}
        self.worker.endpoints["f"] = [{"kind": "unknown"}, {"kind": "unusable", "name": "f", "reason": "it is loaded"}, model]
        self.assertEqual(self.worker.value(
            "tries = 1\nwhile 'response' not in tabpy.query('f'): tries += 1\nreturn tries"), 3)

    def test_asks_once_more_for_an_archive_that_is_gone(self):
        gone = {"kind": "model", "model": self.model("def f(): return 'old'")}
        os.remove(gone["model"]["archive"])
        self.worker.endpoints["f"] = [gone, {"kind": "model", "model": self.model("def f(): return 'new'")}]
        self.assertEqual(self.worker.value(QUERY + "['response']", "f", []), "new")
        self.assertEqual(self.worker.asked, ["f", "f"])
        for second, answer in (({"kind": "unknown"}, {"message": "UnknownURI", "info": "Endpoint 'g' does not exist"}),
                               ({"kind": "model", "model": self.folder.model(b"", "g")}, failure("g", NOT_LOADED + "g"))):
            with self.subTest(second):
                self.worker.endpoints["g"] = [gone, second]
                self.assertEqual(self.answer_of(QUERY, "g", []), answer)

    def test_threads_of_a_script_may_ask_concurrently(self):
        for at in range(8):
            self.deploy("def f(): return %d" % at, "f%d" % at)
        self.assertEqual(self.worker.value(
            "import threading\nfound = {}\n"
            "def ask(at):\n  for turn in range(20): found[at, turn] = tabpy.query('f%d' % ((at + turn) % 8))['response']\n"
            "threads = [threading.Thread(target=ask, args=(at,)) for at in range(8)]\n"
            "for thread in threads: thread.start()\n"
            "for thread in threads: thread.join()\n"
            "return [at for at in found if found[at] != sum(at) % 8] or len(found)"), 160)

    @posix_only
    def test_a_process_that_the_script_has_forked_is_refused(self):
        self.deploy("def f(): return 1")
        self.assertEqual(self.worker.value(
            "import os\nr, w = os.pipe()\npid = os.fork()\n"
            "if pid == 0:\n"
            "  try:\n    tabpy.query('f')\n  except BaseException as error:\n    os.write(w, repr(error).encode())\n"
            "  os._exit(0)\n"
            "os.waitpid(pid, 0)\nreturn os.read(r, 1000).decode()"),
            "RuntimeError(\"tabpy can't be used in a process that the script has started\")")
        self.assertEqual(self.worker.asked, [])
        self.assertEqual(self.worker.value(QUERY + "['response']", "f", []), 1)

    def test_calls_that_arrive_before_an_answer_are_kept_in_order(self):
        self.deploy("def f(): return 'asked'")
        header = {"kind": "evaluate", "revision": self.worker.revision}
        scripts = ["return [tabpy.query('f')['response'], tabpy.query('g')['info']]", "return 2",
                   "return tabpy.query('f')['response']"]
        numbers = [self.worker.post(header, json.dumps({"script": text}).encode("ascii")) for text in scripts]
        self.assertEqual([self.worker.reply(number)[1] for number in numbers],
                         [["asked", "Endpoint 'g' does not exist"], 2, "asked"])

    @posix_only
    def test_an_interrupted_question_does_not_disturb_the_next_one(self):
        for name in "fg":
            self.deploy("def f(): return %r" % name, name)
        self.assertEqual(self.worker.value(
            "import signal, sys\n"
            "class Late(Exception): pass\n"
            "def late(*_): raise Late\n"
            "signal.signal(signal.SIGALRM, late)\n"
            "wrong, broken = [], 0\n"
            "for at in range(600):\n"
            "  try:\n"
            "    signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + at % 200))\n"
            "    name = 'no%d' % at\n"
            "    info = tabpy.query(name)['info']\n"
            "    signal.setitimer(signal.ITIMER_REAL, 0)\n"
            "    if name not in info: wrong.append([name, info])\n"
            "  except Late:\n    broken += 1\n"
            "signal.setitimer(signal.ITIMER_REAL, 0)\n"
            "return [wrong[:3], broken > 0]"), [[], True])
        self.assertEqual([self.worker.value(QUERY + "['response']", name, []) for name in "fgf"], ["f", "g", "f"])


class ClientTest(DeployedTest):
    """Queries of this server with the client library, as Prep templates have them."""

    QUERY = ("from tabpy.tabpy_tools.client import Client, ResponseError\nclient = Client(_arg1)\n"
             "try:\n  return client.query(_arg2, *_arg3)\nexcept ResponseError as error:\n"
             "  return [error.status_code, error.message, error.info]")

    def test_a_query_of_its_own_server_stays_in_the_worker(self):
        self.deploy("def f(x, y=2): return [x, y]", "two words", 3)
        for url in (OWN_URL, OWN_URL + "/", "HTTP://LocalHost:19004/sub", "http://127.0.0.1:19004/sub/", "http://[::1]:19004/sub/",
                    "http://%s:19004/sub" % socket.gethostname()):
            with self.subTest(url):
                answer = self.worker.value(self.QUERY, url, "two words", [1])
                self.assertEqual([answer["response"], answer["version"], answer["model"]], [[1, 2], 3, "two words"])
                self.assertTrue(answer["uuid"])

    def test_a_query_of_another_server_does_not(self):
        text = self.QUERY.replace("except ResponseError as error", "except ConnectionError as error").replace(
            "[error.status_code, error.message, error.info]", "'over HTTP'")
        self.deploy("def f(): return 1")
        for url in ("http://localhost:1/sub", OWN_URL + "marine", "https://localhost:19004/sub", "http://localhost:19004/"):
            with self.subTest(url):
                self.assertEqual(self.worker.value(text, url, "f", []), "over HTTP")

    def test_a_failed_query_raises_what_the_server_would_answer(self):
        self.deploy("def f(x): return 1 / x")
        for name, status, message in (("f", 500, "Error querying function 'f'"), ("g", 404, "UnknownURI")):
            with self.subTest(name):
                found = self.worker.value(self.QUERY, OWN_URL, name, [0])
                self.assertEqual(found[:2], [status, message])
        self.assertEqual(self.worker.value(self.QUERY, OWN_URL, "f", [0])[2]["error"], "ZeroDivisionError : division by zero")

    def test_a_deployed_function_may_query_another_one(self):
        self.deploy("def f(x): return x + 1", "inner")
        model = self.model("from tabpy.tabpy_tools.client import Client\n"
                           "def f(x): return Client(%r).query('inner', x)['response'] * 2" % OWN_URL, "outer")
        self.assertEqual(self.worker.query(model, [3])[1]["response"], 8)
        self.deploy("def f(x): return x + 2", "inner", 2)
        self.worker.revision += 1
        self.assertEqual(self.worker.query(model, [3])[1]["response"], 10)

    @posix_only
    def test_a_process_that_a_script_forks_queries_over_http(self):
        self.deploy("def f(): return 1")
        text = ("import os, sys\nread, write = os.pipe()\npid = os.fork()\nif pid == 0:\n"
                "  from _tabpy_worker import own_server\n  os.write(write, b'%d' % (own_server.find(_arg1) is None))\n"
                "  os._exit(0)\nos.waitpid(pid, 0)\nreturn int(os.read(read, 9))")
        self.assertEqual(self.worker.value(text, OWN_URL), 1)
