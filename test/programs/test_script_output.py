"""What scripts print, as the server reads it on the log pipe: script_output.py in a real worker."""

import unittest

from worker_process import MARKER, WorkerProcess, call_id

# Ways to break the standard streams. None of them may affect the next call.
DISORDER = {
    "replaced": "import io, sys\nsys.stdout = sys.stderr = sys.stdin = io.StringIO()",
    "replaced by nothing": "import sys\nsys.stdout = sys.stderr = sys.stdin = None",
    "replaced by an object that is not a stream": "import sys\nsys.stdout = sys.stderr = 5",
    "deleted": "import sys\ndel sys.stdout, sys.stderr, sys.stdin",
    "closed": "import sys\nsys.stdout.close()\nsys.stderr.close()\nsys.stdin.close()",
    "closed by another name": "import sys\nsys.__stdout__.close()\nsys.__stderr__.buffer.close()",
    "detached": "import sys\nsys.stdout.detach()\nsys.stderr.detach()",
    "wrapped again": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='latin-1')\nprint('x')",
    "detached and wrapped again": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding='utf-8')",
    "in another encoding": "import sys\nsys.stdout.reconfigure(encoding='ascii')\nsys.stderr.reconfigure(encoding='ascii')",
    "strict": "import sys\nsys.stdout.reconfigure(errors='strict')\nsys.stderr.reconfigure(errors='strict')",
    "not line by line": "import sys\nsys.stdout.reconfigure(line_buffering=False)",
    "redirected": "import contextlib, io\ncontextlib.redirect_stdout(io.StringIO()).__enter__()",
    "the names behind them replaced": "import sys\nsys.__stdout__ = sys.__stderr__ = sys.__stdin__ = None\nsys.stdout = sys.__stdout__",
}


def marked(number, text):
    """What a call that prints `text` writes."""
    return "\n%s begin %s\n%s\n%s end %s\n" % (MARKER, call_id(number), text, MARKER, call_id(number))


class OutputTest(unittest.TestCase):
    def setUp(self):
        self.worker = WorkerProcess()
        self.addCleanup(self.worker.close)

    def assert_prints(self, text, *calls):
        """Check that each of the scripts writes `text` between its marks."""
        for number, script in enumerate(calls, self.worker._number + 1):
            with self.subTest(script):
                self.worker.value(script)
                self.assertEqual(self.worker.printed(), marked(number, text))

    def test_a_call_that_prints_nothing_writes_nothing(self):
        self.worker.value("return 1")
        self.worker.value("print('', end='')\nimport sys\nsys.stderr.write('')\nsys.stdout.flush()")
        self.worker.evaluate("return 1 / 0")
        self.worker.send(b"no json")
        self.assertEqual(self.worker.printed(), "")

    def test_marks_what_a_call_prints(self):
        self.assert_prints(
            "a\nb\n", "print('a')\nprint('b')", "print('a\\nb')", "import sys\nsys.stderr.write('a\\nb\\n')",
            "import sys\nprint('a')\nprint('b', file=sys.stderr)", "import sys\nsys.__stdout__.write('a\\nb\\n')",
            "import sys\nsys.stdout.buffer.write(b'a\\nb\\n')", "print('a', 'b', sep='\\n', flush=True)",
            "import sys\nsys.stdout.writelines(['a\\n', 'b\\n'])",
            "import logging, sys\nlogging.StreamHandler().emit(logging.makeLogRecord({'msg': 'a\\nb'}))",
            "def g():\n  print('a')\n  yield 1\n  print('b')\nreturn g()")

    def test_marks_what_a_failing_call_prints(self):
        self.assertEqual(self.worker.evaluate("print('a')\n1 / 0")[0]["kind"], "raised")
        self.assertEqual(self.worker.printed(), marked(1, "a\n"))
        self.assertEqual(self.worker.evaluate("print('b')\nreturn object()")[0]["kind"], "raised")
        self.assertEqual(self.worker.printed(), marked(2, "b\n"))
        self.worker.evaluate("class E(Exception):\n  def __str__(self):\n    print('c')\n    return ''\nraise E")
        self.assertEqual(self.worker.printed(), marked(3, "c\n"))

    def test_writes_a_last_line_without_an_end(self):
        self.assert_prints("a", "print('a', end='')", "import sys\nsys.stderr.write('a')",
                           "import sys\nsys.stdout.buffer.write(b'a')")

    def test_writes_any_text(self):
        self.assert_prints("é😀\u2028", "print('é😀\u2028', end='')")
        self.assert_prints("\\ud800", "print('\\ud800', end='')", "import sys\nsys.stderr.write(chr(0xd800))")

    def test_writes_much_text_between_one_pair_of_marks(self):
        self.assert_prints("x" * 300000 + "\n", "print('x' * 300000)")
        self.assert_prints("line\n" * 20000, "for at in range(20000): print('line')", "print('line\\n' * 20000, end='')")

    def test_keeps_the_order_of_both_streams(self):
        self.assert_prints("1\n2\n3\n4\n", "import sys\nfor at in (1, 2, 3, 4):\n  print(at, file=(sys.stdout, sys.stderr)[at % 2])")

    def test_accepts_output_that_bypasses_the_streams_without_marks(self):
        self.worker.value("import os\nos.write(1, b'to 1\\n')\nos.write(2, b'to 2\\n')")
        self.worker.value("import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(5)'], check=True)")
        self.assertEqual(self.worker.printed(), "to 1\nto 2\n5\n")

    def test_standard_input_is_empty(self):
        self.assertEqual(self.worker.value("import sys\nreturn sys.stdin.read()"), "")
        self.assertEqual(self.worker.value("import os\nreturn len(os.read(0, 1))"), 0)
        self.assertEqual(self.worker.evaluate("return input()")[1]["type"], "EOFError")

    def test_restores_the_streams(self):
        check = ("import sys\nprint('é', 5)\nsys.__stdout__.write('')\nprint('\\ud800', file=sys.stderr)\n"
                 "return [sys.stdin.read(), sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__, "
                 "sys.stdout.line_buffering, sys.stdout.encoding]")
        for name, script in DISORDER.items():
            with self.subTest(name):
                self.worker.value(script)
                self.worker.printed()
                self.assertEqual(self.worker.value(check), ["", True, True, True, "utf-8"])
                self.assertEqual(self.worker.printed(), marked(self.worker._number, "é 5\n\\ud800\n"))
                self.worker.value("return 1")
                self.assertEqual(self.worker.printed(), "")

    def test_writes_what_was_printed_before_a_script_changed_the_streams(self):
        for name, script in DISORDER.items():
            with self.subTest(name):
                self.worker.value("print('before')\n" + script)
                number = self.worker._number
                self.assertRegex(self.worker.printed(), r"^\n%s begin %s\nbefore\n(x\n)?\n%s end %s\n$" % (
                    MARKER, call_id(number), MARKER, call_id(number)))

    def test_a_forked_child_writes_no_marks(self):
        self.worker.value("import os\nif os.fork() == 0:\n  print('child')\n  import sys\n  sys.stdout.flush()\n  os._exit(0)\nos.wait()")
        self.assertEqual(self.worker.printed(), "child\n")
