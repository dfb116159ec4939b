"""Which function a call evaluates, for the log: function_log.py, and the replies of a real worker."""

import json
import unittest

from worker_process import WorkerProcess

from _tabpy_worker.function_log import MAX_CHARACTERS, encode_function


class EncodeFunctionTest(unittest.TestCase):
    def test_is_the_function_as_tabpy_writes_it(self):
        encoded = encode_function("x = _arg1\nreturn x", ("_arg1", "_arg2"))
        self.assertEqual(json.loads(encoded), "def _user_script(tabpy, _arg1, _arg2):\n x = _arg1\n return x")

    def test_is_one_line_of_ascii(self):
        encoded = encode_function("return 'é😀\u2028'\r\n\r# \ud800", ())
        self.assertEqual(encoded.count(b"\n"), 0)
        self.assertTrue(encoded.isascii())
        self.assertEqual(json.loads(encoded), "def _user_script(tabpy):\n return 'é😀\u2028'\n \n # \ud800")

    def test_is_truncated(self):
        for text in ("x" * 1000000, "😀" * 1000000, "\n" * 1000000):
            encoded = encode_function(text, tuple("_arg%d" % at for at in range(100000)))
            self.assertLess(len(encoded), 12 * MAX_CHARACTERS + 100)
            self.assertRegex(json.loads(encoded)[-30:], r"\.\.\. \(\d+ characters\)$")


class ReplyTest(unittest.TestCase):
    def setUp(self):
        self.worker = WorkerProcess()
        self.addCleanup(self.worker.close)

    def function(self, script, *arguments, kind="result"):
        """The function that the reply reports, or None."""
        data = {"_arg%d" % (at + 1): value for at, value in enumerate(arguments)}
        header, _ = self.worker.send(json.dumps({"script": script, "data": data}).encode("ascii"), function=True)
        self.assertEqual(header["kind"], kind)
        return header.get("function")

    def test_reports_the_function_with_each_reply(self):
        for value in (1, 2):
            self.assertEqual(self.function("return _arg1", value), "def _user_script(tabpy, _arg1):\n return _arg1")

    def test_reports_the_function_of_a_script_that_raises(self):
        self.assertEqual(self.function("return 1 / 0", kind="raised"), "def _user_script(tabpy):\n return 1 / 0")

    def test_reports_the_function_beside_leftovers(self):
        script = "import subprocess\nsubprocess.Popen(['sleep', '60'])"
        self.assertEqual(self.function(script), "def _user_script(tabpy):\n " + script.replace("\n", "\n "))

    def test_reports_no_function_for_a_script_that_does_not_compile(self):
        self.assertIsNone(self.function("not valid python", kind="raised"))

    def test_reports_no_function_to_a_server_that_did_not_ask(self):
        self.assertNotIn("function", self.worker.evaluate("return 1")[0])
