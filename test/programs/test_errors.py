"""What a script raised, as data: errors.py."""

import json
import sys
import unittest

from _tabpy_worker import errors, json_writer, scripts
from _tabpy_worker.models import ModelCache
from _tabpy_worker.tabpy_object import Endpoints, TabPy


def no_functions():
    """The `tabpy` of a script where nothing is deployed."""
    return TabPy(Endpoints(lambda name: {"kind": "unknown"}), ModelCache(1, None), None)


def raised_by(text, *arguments):
    """The body of the `raised` frame for a script that fails."""
    names = tuple("_arg%d" % (at + 1) for at in range(len(arguments)))
    script = None
    try:
        script = scripts.Script(text, names)
        json_writer.encode(script.bind()(no_functions(), *arguments))
    except BaseException as error:
        body = errors.describe(error, script)
        assert type(body) is bytes and body.isascii()
        return json.loads(body)
    raise AssertionError("nothing was raised")


def places(raised):
    return [(frame["line"], frame["function"]) for frame in raised["frames"]]


class DescribeTest(unittest.TestCase):
    def test_has_type_message_line_and_frames(self):
        self.assertEqual(raised_by("x = 1\n\n  \nx = _arg1 / 0", 1), {
            "type": "ZeroDivisionError", "message": "division by zero", "line": 4,
            "frames": [{"line": 4, "function": "<script>", "text": "x = _arg1 / 0"}]})

    def test_has_the_message_that_str_returns(self):
        for text, kind, message in (
            ("raise ValueError", "ValueError", ""),
            ("raise ValueError('a', 2)", "ValueError", "('a', 2)"),
            ("raise KeyError('a')", "KeyError", "'a'"),
            ("raise ValueError('é😀\\nb')", "ValueError", "é😀\nb"),
            ("raise ValueError('\\ud800')", "ValueError", "\ud800"),
            ("return nothing", "NameError", "name 'nothing' is not defined"),
            ("import sys\nsys.exit(3)", "SystemExit", "3"),
            ("raise SystemExit('bye')", "SystemExit", "bye"),
            ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
            ("raise GeneratorExit", "GeneratorExit", ""),
            ("class Mine(Exception): pass\nraise Mine('x')", "Mine", "x"),
            ("class É(BaseException): pass\nraise É('x')", "É", "x"),
            ("raise OSError(2, 'No file', 'a.csv')", "FileNotFoundError", "[Errno 2] No file: 'a.csv'"),
            ("raise 5", "TypeError", "exceptions must derive from BaseException"),
            ("assert 0, 'why'", "AssertionError", "why"),
        ):
            with self.subTest(text):
                raised = raised_by(text)
                self.assertEqual((raised["type"], raised["message"]), (kind, message))
                self.assertEqual(raised["line"], text.count("\n") + 1)

    def test_survives_errors_that_have_no_text(self):
        for how, kind in (("raise OSError", "OSError"), ("raise SystemExit", "SystemExit"), ("return 5", "TypeError"),
                          ("return str(self)", "RecursionError")):
            with self.subTest(how):
                raised = raised_by("class Mine(Exception):\n  def __str__(self): %s\nraise Mine('x')" % how)
                self.assertEqual(raised["type"], "Mine")
                self.assertEqual(raised["message"], "<the text of this Mine is not available: its __str__ raised %s>" % kind)
                self.assertEqual(raised["line"], 3)

    def test_truncates_long_messages(self):
        raised = raised_by("raise ValueError('x' * 1000000)")
        limit = errors.MAX_MESSAGE_CHARACTERS
        self.assertEqual(raised["message"], "x" * limit + "... (1000000 characters)")
        self.assertEqual(raised_by("raise ValueError('x' * %d)" % limit)["message"], "x" * limit)

    def test_has_the_frames_of_the_scripts_functions(self):
        raised = raised_by("def f(x):\n    return g(x)\n\ndef g(x):\n    return 1 / x\n\nclass A:\n    def m(self):\n"
                           "        return [f(x) for x in [0]]\n\nreturn A().m()")
        self.assertEqual(raised["line"], 5)
        self.assertEqual([place for place in places(raised) if place[1] != "<listcomp>"],
                         [(11, "<script>"), (9, "m"), (2, "f"), (5, "g")])
        self.assertEqual([frame["text"] for frame in raised["frames"]][-1], "return 1 / x")
        self.assertEqual(places(raised_by("x = lambda: 1 / 0\n\nx()")), [(3, "<script>"), (1, "<lambda>")])
        self.assertEqual(places(raised_by("class A:\n  x = 1 / 0")), [(1, "<script>"), (2, "A")])

    def test_leaves_out_the_frames_of_modules(self):
        for text, kind, found in (
            ("import json\n\njson.loads('{')", "JSONDecodeError", [(3, "<script>")]),
            ("import json\ndef f(x):\n  return json.loads(x)\nreturn f('')", "JSONDecodeError", [(4, "<script>"), (3, "f")]),
            ("def f(x): return 1 / x\nimport functools\nreturn functools.reduce(lambda a, b: f(b), [1, 0])",
             "ZeroDivisionError", [(3, "<script>"), (3, "<lambda>"), (1, "f")]),
            ("int('x')", "ValueError", [(1, "<script>")]),
            ("import string\nreturn string.Template('$x').substitute()", "KeyError", [(2, "<script>")]),
        ):
            with self.subTest(text):
                raised = raised_by(text)
                self.assertEqual((raised["type"], places(raised), raised["line"]), (kind, found, found[-1][0]))

    def test_leaves_out_what_the_script_compiles_itself(self):
        # Its lines are not those of the script, though Python calls both files "<string>".
        for text, found in (
            ("x = 1\nexec('a = 1\\nb = 2\\n\\n\\n1 / 0')", [(2, "<script>")]),
            ("\neval('1 / 0')", [(2, "<script>")]),
            ("names = {}\nexec('\\n\\n\\ndef f():\\n  return 1 / 0', names)\nnames['f']()", [(3, "<script>")]),
            ("exec('\\n\\n\\ndef f(x):\\n  return 1 / x()', globals())\ndef g():\n  return 0\nglobals()['f'](g)", [(4, "<script>")]),
            ("import dataclasses\n@dataclasses.dataclass\nclass A:\n  x: int = 0\n  def __post_init__(self):\n    1 / 0\n\n\nA()",
             [(9, "<script>"), (6, "__post_init__")]),
        ):
            with self.subTest(text):
                raised = raised_by(text)
                self.assertEqual((raised["type"], places(raised)), ("ZeroDivisionError", found))
                self.assertEqual(raised["line"], found[-1][0])

    def test_has_the_error_that_came_last_in_a_chain(self):
        for text, kind, line in (
            ("try:\n  1 / 0\nexcept Exception as e:\n  raise ValueError('new') from e", "ValueError", 4),
            ("try:\n  1 / 0\nexcept Exception:\n  raise ValueError('new')", "ValueError", 4),
            ("try:\n  1 / 0\nfinally:\n  {}['a']", "KeyError", 4),
            ("def f():\n  1 / 0\ntry:\n  f()\nexcept Exception as e:\n  kept = e\nraise kept", "ZeroDivisionError", 2),
        ):
            with self.subTest(text):
                raised = raised_by(text)
                self.assertEqual((raised["type"], raised["line"]), (kind, line))

    def test_bounds_the_frames_of_a_recursion(self):
        raised = raised_by("def f(n):\n  return f(n + 1)\n\nreturn f(0)")
        self.assertEqual(raised["type"], "RecursionError")
        self.assertEqual(len(raised["frames"]), errors.MAX_FRAMES)
        self.assertEqual(places(raised)[:2], [(4, "<script>"), (2, "f")])
        self.assertEqual(places(raised)[-1], (2, "f"))

    def test_keeps_both_ends_of_many_frames(self):
        def nested(depth):
            return raised_by("def f(n):\n  return g() if n == 0 else f(n - 1)\ndef g():\n  1 / 0\nf(%d)" % depth)

        middle = [(2, "f")]
        self.assertEqual(places(nested(47)), [(5, "<script>")] + middle * 48 + [(4, "g")])  # 50: all of them
        self.assertEqual(places(nested(60)), [(5, "<script>")] + middle * 48 + [(4, "g")])

    def test_has_the_line_of_a_syntax_error(self):
        for text, line in (("x = 1\ny = = 2", 2), ("x = 1\n\n'''", None), ("x = 1\nbreak", 2), ("  x = 1\nreturn x", 1)):
            with self.subTest(text):
                raised = raised_by(text)
                self.assertIn(raised["type"], ("SyntaxError", "IndentationError"))
                self.assertEqual(raised["frames"], [])
                if line is not None:  # an unterminated string: versions report its start or its end
                    self.assertEqual(raised["line"], line)
                    self.assertIn("(<string>, line %d)" % line, raised["message"])

    def test_has_the_scripts_line_for_a_syntax_error_in_what_it_compiles(self):
        raised = raised_by("\n\nexec('\\n\\n\\n\\n\\n\\n1 +')")
        self.assertEqual((raised["type"], raised["line"]), ("SyntaxError", 3))

    def test_has_no_line_for_text_that_python_cannot_read(self):
        raised = raised_by("return '\ud800'")
        self.assertEqual((raised["type"], raised["line"], raised["frames"]), ("UnicodeEncodeError", None, []))

    def test_has_the_line_of_a_lazy_value_that_fails(self):
        raised = raised_by("def g():\n  yield 1\n  1 / 0\nreturn g()")
        self.assertEqual((raised["line"], places(raised)), (3, [(3, "g")]))
        raised = raised_by("return map(lambda x: 1 / x, [0])")
        self.assertEqual(places(raised), [(1, "<lambda>")])

    def test_has_no_line_for_a_result_that_json_cannot_represent(self):
        self.assertEqual(raised_by("x = 1\nreturn object()"), {
            "type": "TypeError", "message": "Object of type object is not JSON serializable", "line": None, "frames": []})

    def test_names_the_interpreter_for_a_missing_module(self):
        raised = raised_by("import no_such_module_anywhere")
        self.assertEqual((raised["type"], raised["message"], raised["interpreter"]),
                         ("ModuleNotFoundError", "No module named 'no_such_module_anywhere'", sys.executable))
        for text in ("from json import no_such_name", "return 1 / 0", "raise ImportError('x')"):
            with self.subTest(text):
                self.assertNotIn("interpreter", raised_by(text))

    def test_has_the_cause_of_a_query_that_failed(self):
        raised = raised_by("answer = tabpy.query('add', 1, x=2)\nreturn answer['response']")
        self.assertEqual(raised["cause"], "Endpoint 'add' does not exist")
        self.assertEqual((raised["message"], raised["line"]), ("'response'", 2))
        self.assertNotIn("cause", raised_by("return {}['response']"))
