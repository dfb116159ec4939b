"""Which function a call evaluates, as the log hears of it: function_log.py in a real worker."""

import json
import unittest

from worker_process import MARKER, WorkerProcess

from _tabpy_worker.function_log import MAX_NUMBERED, MEMORY_BYTES, encode_function


def said(number, text):
    return "\n%s function %d %s\n" % (MARKER, number, json.dumps(text))


class EncodeFunctionTest(unittest.TestCase):
    def test_is_the_function_as_tabpy_words_it(self):
        encoded = encode_function("x = _arg1\nreturn x", ("_arg1", "_arg2"))
        self.assertEqual(json.loads(encoded), "def _user_script(tabpy, _arg1, _arg2):\n x = _arg1\n return x")

    def test_is_one_line_of_ascii(self):
        encoded = encode_function("return 'é😀\u2028'\r\n\r# \ud800", ())
        self.assertEqual(encoded.count(b"\n"), 0)
        self.assertTrue(encoded.isascii())
        self.assertEqual(json.loads(encoded), "def _user_script(tabpy):\n return 'é😀\u2028'\n \n # \ud800")

    def test_has_a_bound(self):
        for text in ("x" * 1000000, "😀" * 1000000, "\n" * 1000000):
            encoded = encode_function(text, tuple("_arg%d" % at for at in range(100000)))
            self.assertLess(len(encoded), MEMORY_BYTES - 100)
            self.assertRegex(json.loads(encoded)[-30:], r"\.\.\. \(\d+ characters\)$")


class AnnouncementTest(unittest.TestCase):
    def setUp(self):
        self.worker = self.start()

    def start(self, quick=60_000_000):
        """A worker to which every call is quick, however busy the machine."""
        replace = "QUICK_MICROSECONDS = 5000", "QUICK_MICROSECONDS = %d" % quick
        worker = WorkerProcess(announce=True, replace=replace)
        self.addCleanup(worker.close)
        return worker

    def make_quick(self, script, *arguments):
        self.assertEqual(self.worker.evaluate(script, *arguments)[0]["kind"], "result")
        return self.worker.printed()

    def test_is_said_before_the_first_run(self):
        text = "def _user_script(tabpy):\n return 1"
        self.assertNotIn("function", self.worker.evaluate("return 1")[0])
        self.assertEqual(self.worker.printed(), said(1, text))

    def test_goes_out_with_the_answer_of_a_script_that_was_quick(self):
        self.make_quick("return _arg1", 1)
        header, body = self.worker.evaluate("return _arg1", 2)
        self.assertEqual((header["function"], body), ([1, "def _user_script(tabpy, _arg1):\n return _arg1"], 2))
        self.assertEqual(self.worker.evaluate("return _arg1", 3)[0]["function"], 1)
        self.assertEqual(self.worker.printed(), "")

    def test_has_a_number_of_its_own_until_numbers_begin_anew(self):
        known = {}
        for script in ["return %d" % at for at in range(MAX_NUMBERED + 5)] * 2:
            self.worker.value(script)
            function = self.worker.evaluate(script)[0]["function"]
            if isinstance(function, list):
                known[function[0]] = function[1]
                function = function[0]
            self.assertEqual(known[function], "def _user_script(tabpy):\n " + script)
        self.assertEqual(set(known), set(range(1, MAX_NUMBERED + 1)))

    def test_is_said_before_each_run_of_a_script_that_is_not(self):
        worker = self.start(quick=0)
        for number in (1, 2):
            self.assertNotIn("function", worker.evaluate("import time\ntime.sleep(0.001)")[0])
            self.assertTrue(worker.printed().startswith("\n%s function %d " % (MARKER, number)))

    def test_is_said_before_what_the_script_prints(self):
        script = "print('x')"
        self.make_quick(script)
        self.assertNotIn("function", self.worker.evaluate(script)[0])
        text = "def _user_script(tabpy):\n print('x')"
        self.assertEqual(self.worker.printed(), said(2, text) + "\n%s begin 2\nx\n\n%s end 2\n" % (MARKER, MARKER))

    def test_goes_out_with_an_error(self):
        script = "return 1 / _arg1"
        self.make_quick(script, 1)
        header, _ = self.worker.evaluate(script, 0)
        self.assertEqual((header["kind"], "function" in header), ("raised", True))

    def test_is_said_by_the_keeper_when_the_worker_ends(self):
        for ending in ("import os\nif _arg1: os._exit(3)", "import os\nif _arg1: os.kill(os.getpid(), 9)"):
            with self.subTest(ending):
                worker = self.start()
                worker.evaluate(ending, 0)
                worker.printed()
                self.assertIsNone(worker.evaluate(ending, 1))
                worker._process.wait()
                text = "def _user_script(tabpy, _arg1):\n " + ending.replace("\n", "\n ")
                self.assertEqual(worker.printed(), said(2, text))

    def test_is_not_said_twice_or_for_nobody(self):
        self.make_quick("return 1")
        self.worker.evaluate("return 1")
        self.worker.evaluate("not python")
        self.worker.printed()
        self.worker._process.terminate()
        self.worker._process.wait()
        self.assertEqual(self.worker.printed(), "")

    def test_is_not_said_to_a_server_that_did_not_ask(self):
        with WorkerProcess() as worker:
            for _ in range(2):
                self.assertNotIn("function", worker.evaluate("return 1")[0])
            self.assertEqual(worker.printed(), "")
