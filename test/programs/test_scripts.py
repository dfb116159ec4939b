"""Scripts: compiled from text, run as a function body with fresh globals: scripts.py."""

import datetime
import gc
import os
import importlib
import json
import logging
import sys
import types
import unittest
import uuid
from unittest import mock

from _tabpy_worker import scripts


def run(text, *arguments):
    """What a script returns."""
    names = tuple("_arg%d" % (at + 1) for at in range(len(arguments)))
    return scripts.Script(text, names).bind()("the tabpy", *arguments)


def failing_line(text):
    """The line at which the script raises ZeroDivisionError, and the text that it shows for it."""
    script = scripts.Script(text, ())
    try:
        script.bind()(None)
    except ZeroDivisionError as error:
        line = error.__traceback__.tb_next.tb_lineno
        return line, script.line_text(line)
    raise AssertionError("nothing was raised")


class RunTest(unittest.TestCase):
    def assert_returns(self, table):
        for text, expected in table:
            with self.subTest(text):
                self.assertEqual(repr(run(text)), repr(expected))

    def test_is_a_function_body(self):
        self.assert_returns([
            ("return 1", 1),
            ("return", None),
            ("x = 1", None),
            ("pass", None),
            ("...", None),
            ("return 1\nreturn 2", 1),
            ("if True:\n    return 'a'\nreturn 'b'", "a"),
            ("x = 1; y = 2; return x + y;", 3),
            ("for x in range(9):\n  if x > 3:\n    return x", 4),
            ("try:\n    1/0\nexcept ZeroDivisionError:\n    return 'caught'\nfinally:\n    pass", "caught"),
            ("with open(__import__('os').devnull) as f:\n  return f.read()", ""),
            ("x: int = 5\nreturn x", 5),
            ("import os.path as p\nreturn p.basename('/a/b')", "b"),
            ("from math import floor, ceil\nreturn [floor(1.5), ceil(1.5)]", [1, 2]),
            ("if (n := 10) > 5: return n", 10),
            ("return __name__", "tabpy_script"),
            ("assert True, 'x'\nreturn __debug__", True),
        ])

    def test_gets_tabpy_and_its_arguments(self):
        self.assertEqual(run("return [tabpy, _arg1, _arg2]", 1, [2]), ["the tabpy", 1, [2]])
        with self.assertRaises(NameError):
            run("return _arg2", 1)

    def test_sees_only_the_arguments_in_locals(self):
        self.assertEqual(run("return sorted(locals())", 1, 2), ["_arg1", "_arg2", "tabpy"])
        self.assertEqual(run("x = 1\nreturn sorted(locals())"), ["tabpy", "x"])

    def test_sees_few_globals(self):
        self.assertEqual(run("return sorted(globals())"), ["__builtins__", "__file__", "__name__"])
        self.assertEqual(run("uuid\nreturn sorted(globals())"), ["__builtins__", "__file__", "__name__", "uuid"])

    def test_has_the_name_of_no_file_in_its_folder(self):
        name = run("return __file__")
        self.assertEqual(os.path.dirname(name), os.getcwd())
        self.assertFalse(os.path.exists(name))
        self.assertEqual(run("import os\nreturn os.path.dirname(__file__)"), os.getcwd())
        self.assertEqual(run("def f(): return __file__\nreturn f()"), name)

    def test_has_functions_classes_and_comprehensions(self):
        self.assert_returns([
            ("def f(n):\n    return 1 if n < 2 else n * f(n - 1)\nreturn f(5)", 120),
            ("def outer():\n    x = 1\n    def inner():\n        nonlocal x\n        x += 1\n        return x\n    return inner()\n"
             "return outer()", 2),
            ("x = 1\ndef f():\n    nonlocal x\n    x = 5\nf()\nreturn x", 5),
            ("class A:\n    y = 2\n    def m(self):\n        return __class__.y\nreturn A().m()", 2),
            ("class A:\n  pass\nclass B(A):\n  def __init__(self):\n    super().__init__()\nreturn isinstance(B(), A)", True),
            ("k = 3\nreturn [x * k for x in range(3)]", [0, 3, 6]),
            ("k = 3\nreturn {x: [y for y in range(x) if y != k] for x in range(2)}", {0: [], 1: [0]}),
            ("k = 2\nreturn (lambda x, *, y=k: x + y)(1)", 3),
            ("return list(map(lambda x: x + 1, [1]))", [2]),
            ("def g():\n    yield from [1, 2]\nreturn list(g())", [1, 2]),
            ("import asyncio\nasync def f():\n    return 7\nreturn asyncio.run(f())", 7),
            ("import functools\n@functools.lru_cache()\ndef f(): return 4\nreturn f()", 4),
            ("return f'{1 + 1:>3}' + f\"{'x'!r}\"", "  2'x'"),
        ])
        self.assertEqual(list(run("yield 1\nyield 2")), [1, 2])

    def test_has_global_names(self):
        self.assert_returns([
            ("global x\nx = 5\ndef f():\n    return x\nreturn f()", 5),
            ("def f():\n    global x\n    x = 6\nf()\nreturn x", 6),
            ("def f():\n    global x\n    x = 6\nf()\nreturn globals()['x']", 6),
        ])

    def test_has_fresh_globals_each_time(self):
        script = scripts.Script("global seen\nbefore = 'seen' in globals()\nseen = 1\nlen.x if 0 else 0\nreturn before", ())
        self.assertEqual([script.bind()(None) for _ in range(3)], [False, False, False])
        script = scripts.Script("global json\nif _arg1: json = 5\nreturn json if type(json) is int else json.__name__", ("_arg1",))
        self.assertEqual([script.bind()(None, flag) for flag in (True, False)], [5, "json"])

    def test_leaves_no_globals_behind(self):
        class Kept:
            count = 0

            def __del__(self):
                Kept.count += 1

        scripts.Script("global kept\nkept = _arg1", ("_arg1",)).bind()(None, Kept())
        gc.collect()
        self.assertEqual(Kept.count, 1)

    def test_has_a_module_for_pickle_dataclasses_and_typing(self):
        with mock.patch.dict(sys.modules):
            scripts.register_module()
            self.assert_returns([
                ("import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = 3\nreturn dataclasses.asdict(A())", {"x": 3}),
                ("import typing\nclass A(typing.NamedTuple):\n    x: int\nreturn A(1)._asdict()", {"x": 1}),
                ("import enum\nclass A(enum.Enum):\n    X = 1\nreturn [A.X.value, A.__module__]", [1, "tabpy_script"]),
                ("import collections\nreturn collections.namedtuple('P', 'x')(1).x", 1),
            ])


class LineTest(unittest.TestCase):
    def test_line_numbers_are_the_users(self):
        for text, line, shown in (
            ("1/0", 1, "1/0"),
            ("\n\n1/0", 3, "1/0"),
            ("# comment\n1/0  # here", 2, "1/0  # here"),
            ("x = '''a\nb\n'''\n1/0", 4, "1/0"),
            ("x = [\n1,\n1/0]", 3, "1/0]"),
            ("x = 1 + \\\n  1/0", 2, "1/0"),
            ("'''docstring\n\n'''\n1/0", 4, "1/0"),
            ("from __future__ import annotations\n1/0", 2, "1/0"),
            ("'''docstring'''\nfrom __future__ import annotations\n\n1/0", 4, "1/0"),
            ("  x = 1\n  1/0", 2, "1/0"),
            ("\n  # comment\n\n    1/0", 4, "1/0"),
            ("\t1/0", 1, "1/0"),
            ("x = 1\r\n1/0\r\ny = 2", 2, "1/0"),
            ("x = 1\r1/0\ry = 2", 2, "1/0"),
            ("x = 1\r\ry = 2\r\n\n1/0\r", 5, "1/0"),
            ("x = 1\n\r\n\r1/0", 4, "1/0"),
            ("  x = 1\r\n  1/0\r\n", 2, "1/0"),
            ("x = '\u2028\x85\x0c'\n1/0", 2, "1/0"),
            ("\x0c\n1/0", 2, "1/0"),
            ("x = 1\nfrom __future__ import annotations\n\n1/0", 4, "1/0"),
            ("\ufeff1/0", 1, "1/0"),
            ("x = 1\n\ufeff\n1/0", 3, "1/0"),
            ("\ufeff\n  1/0", 2, "1/0"),
        ):
            with self.subTest(text):
                self.assertEqual(failing_line(text), (line, shown))

    def test_line_text_is_empty_outside_and_short_inside(self):
        script = scripts.Script("x = 1\ny = '" + "z" * 1000 + "'", ())
        self.assertEqual([script.line_text(at) for at in (-1, 0, 1, 3)], ["", "", "x = 1", ""])
        self.assertEqual(len(script.line_text(2)), 200)

    def test_code_ids_are_those_of_its_functions_and_classes(self):
        script = scripts.Script("def f():\n  return [lambda: x for x in [1]]\nclass A:\n  def m(self): pass\nreturn f, A, f()[0]", ())
        function = script.bind()
        inner, kind, anonymous = function(None)
        for code in (function.__code__, inner.__code__, kind.m.__code__, anonymous.__code__):
            self.assertIn(id(code), script.code_ids())
        self.assertNotIn(id(scripts.Script("def f(): pass", ()).bind().__code__), script.code_ids())
        self.assertNotIn(id(failing_line.__code__), script.code_ids())


class TextTest(unittest.TestCase):
    def test_strings_are_unchanged(self):
        for text, expected in (
            ("return '''a\n  b\n\n\tc'''", "a\n  b\n\n\tc"),
            ("  return '''a\n  b\n\tc\n'''", "a\n  b\n\tc\n"),
            ("    x = '''\nat the margin'''\n    return x", "\nat the margin"),
            ("if 1:\n  return \"\"\"x\n y\"\"\"", "x\n y"),
            ("return 'a\\\n  b'", "a  b"),
            ("return '\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e'", "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e"),
            ("  return '''\u2028\x0c\n\x85'''", "\u2028\x0c\n\x85"),
            ("return 'é😀\ufeff\x7f'", "é😀\ufeff\x7f"),
            ("return '\\ud800'", "\ud800"),
            ("return r'\\n' + '\\n'", "\\n\n"),
            ("return f'''{1}\n  {2}'''", "1\n  2"),
            ("  return f'''{1}\n  {2\n}'''", "1\n  2"),
            # Python itself reads any line end as \n.
            ("return '''a\r\nb\rc\nd'''", "a\nb\nc\nd"),
            ("\ufeffreturn '\ufeff'", "\ufeff"),
        ):
            with self.subTest(text):
                self.assertEqual(run(text), expected)

    def test_any_line_end_ends_a_line(self):
        for end in ("\n", "\r\n", "\r"):
            for text in ("x = 1|if x:|    x = 2|return x", "  x = 2|  return x|", "|||x = 2|return x",
                         "x = (1 +|1)|return x", "def f():|\treturn 2||return f()"):
                with self.subTest(text, end=end):
                    self.assertEqual(run(text.replace("|", end)), 2)

    def test_a_script_that_is_indented_as_a_whole_runs(self):
        for text in (
            "  return 1", "\treturn 1", "    x = 1\n    return x\n", "\n\n  # c\n  x = 1\n\n  return x\n# c\n",
            "  if 1:\n    x = 1\n  else:\n    x = 2\n  return x", "  def f():\n    return 1\n  return f()",
            "  'doc'\n  return 1", "  return (\n1)", "  return 1;", "  x = 1 # c\n    # c\n  return x", " \x0c return 1",
            "  for x in [1]:\n    pass\n  else:\n    return x", "  try:\n    return 1\n  finally:\n    pass",
            "  class A:\n    def m(self):\n      return 1\n  return A().m()", "\ufeff  return 1", "  return 1\n  ",
        ):
            with self.subTest(text):
                self.assertEqual(run(text), 1)

    def test_a_script_that_is_indented_in_parts_does_not_compile(self):
        for text in (
            "  x = 1\nreturn x", "x = 1\n  return x", "  x = 1\n    return x", "    x = 1\n  return x", "  x = 1\n\treturn x",
            "if 1:\nreturn 1", "def f():\nreturn 1", "  x = 1\nelse:\n  x = 2\n", "  x = 1\nelif 1:\n  x = 2\n",
            "  pass\nelse: return 2",
        ):
            with self.subTest(text), self.assertRaises(IndentationError):
                scripts.Script(text, ())

    def test_future_imports_may_stand_anywhere_at_the_top_level(self):
        for text, expected in (
            ("from __future__ import annotations\ndef f(x: Nowhere): pass\nreturn f.__annotations__", {"x": "Nowhere"}),
            ("'doc'\nfrom __future__ import annotations\ndef f(x: No): pass\nreturn f.__annotations__", {"x": "No"}),
            ("# c\n\nfrom __future__ import annotations, division\nfrom __future__ import generator_stop\nreturn 1", 1),
            ("from __future__ import annotations", None),
            ("'doc'\nfrom __future__ import annotations", None),
            ("  from __future__ import annotations\n  return 1", 1),
            # Tableau Prep puts such lines before the user's file.
            ("import json\ndef prep_string():\n\treturn ['x']\nfrom __future__ import annotations\ndef f(x: Nowhere): pass\n"
             "return f.__annotations__", {"x": "Nowhere"}),
            ("def f(x: No): pass\n'doc'\nfrom __future__ import annotations\nreturn f.__annotations__", {"x": "No"}),
            ("from __future__ import annotations\nx = 1\nfrom __future__ import division; return x / 2", 0.5),
            ("  x = 1\n  from __future__ import (annotations,\n generator_stop)\n  return x", 1),
        ):
            with self.subTest(text):
                self.assertEqual(run(text), expected)
        with self.assertRaisesRegex(NameError, "Nowhere"):
            run("def f(x: Nowhere): pass\nreturn f.__annotations__")

    def test_future_imports_may_not_stand_deeper_or_name_anything(self):
        for text in ("if 1:\n  from __future__ import annotations", "def f():\n  from __future__ import annotations\nreturn 1",
                     "x = 1\nfrom __future__ import no_such_thing\nreturn 1", "from __future__ import braces\nreturn 1"):
            with self.subTest(text), self.assertRaisesRegex(SyntaxError, "__future__|not defined|not a chance"):
                scripts.Script(text, ())

    def test_a_byte_order_mark_may_begin_a_line(self):
        for text, expected in (  # Tableau Prep puts lines before a user's file, which may begin with one
            ("import json\n\ufeffreturn 1", 1),
            ("import json\r\n\ufeff# c\nreturn 1", 1),
            ("x = 1\n\ufeff'''doc'''\n\ufeffreturn x", 1),
            ("return '''\n\ufeff'''", "\n\ufeff"),
        ):
            with self.subTest(text):
                self.assertEqual(run(text), expected)
        for text in ("x =\ufeff 1", "x = 1\n \ufeffreturn x", "x = 1\n\ufeffreturn ("):
            with self.subTest(text), self.assertRaises(SyntaxError):
                scripts.Script(text, ())

    def test_a_docstring_alone_is_a_script(self):
        self.assertIsNone(run("'''Only this.'''"))
        self.assertIsNone(run("'a'\n'b'"))

    def test_no_statement_is_an_empty_script(self):
        for text in ("", " ", "\n", "\r", "\r\n \r\n", "# comment", "  # comment\n\n\t# comment", "\ufeff", "\ufeff# c", "\x0c"):
            with self.subTest(text), self.assertRaises(scripts.EmptyScript):
                scripts.Script(text, ())

    def test_invalid_python_does_not_compile(self):
        for text in ("return return", "x = ", "(", "'", "'''", "return 1)", "def f(", "1 = x", "if True", "x = 1\\", "$",
                     "return\u00a01", "print 'x'", "nonlocal x", "break", "from math import *", "await x", "global _arg1",
                     "def f():\n  x = 1\n  global x", "lambda: (yield)\nreturn = 1", "x\u2028y", "return 1\n}"):
            with self.subTest(text), self.assertRaises(SyntaxError) as caught:
                scripts.Script(text, ("_arg1",))
            self.assertEqual(caught.exception.filename, "<string>")

    def test_a_syntax_error_names_the_users_line(self):
        for text, line in (("x = 1\n\ny = )", 3), ("x = 1\r\ny = )", 2), ("x = 1\ry = )", 2), ("'''\n'''\nbreak", 3),
                           ("def f():\n  return 1\ncontinue", 3), ("  x = 1\n  break", 2)):
            with self.subTest(text), self.assertRaises(SyntaxError) as caught:
                scripts.Script(text, ())
            self.assertEqual(caught.exception.lineno, line)

    def test_text_that_python_cannot_parse_does_not_compile(self):
        for text in ("return 1\x00", "return '\x00'", "\x00"):
            with self.subTest(text), self.assertRaisesRegex((SyntaxError, ValueError), "null byte"):
                scripts.Script(text, ())
        with self.assertRaises(UnicodeEncodeError):
            scripts.Script("return '\ud800'", ())

    def test_a_script_cannot_leave_the_function(self):
        # Text that would end a function if it were pasted into it is only text here.
        with self.assertRaises(SyntaxError):
            scripts.Script("return 1\n)\nx = 2", ())
        self.assertEqual(run("return 'x'\ndef _user_script(): pass"), "x")
        self.assertEqual(run("def _user_script(): return 5\nreturn _user_script()"), 5)

    def test_long_chains_compile(self):
        chain = "x = _arg1\nif x == 0: y = 0\n" + "".join("elif x == %d: y = %d\n" % (at, at) for at in range(1, 600)) + "return y"
        self.assertEqual(run(chain, 599), 599)
        self.assertEqual(run("return " + " + ".join(["1"] * 800)), 800)
        self.assertEqual(run("\n".join("x%d = %d" % (at, at) for at in range(5000)) + "\nreturn x4999"), 4999)


class PresetTest(unittest.TestCase):
    def imported_by(self, text, *missing):
        """The modules that binding and running the script imports."""
        real, asked = importlib.import_module, []

        def import_module(name):
            asked.append(name)
            if name in missing:
                raise ImportError(name)
            return real(name)

        script = scripts.Script(text, ())
        self.assertEqual(asked, [])
        with mock.patch.object(scripts.importlib, "import_module", import_module):
            for _ in range(2):
                try:
                    script.bind()(None)
                except NameError:
                    pass
        return sorted(asked)

    def test_names_are_available_without_import(self):
        for text, expected in (
            ("return json", json), ("return logging", logging), ("return uuid", uuid),
            ("return timedelta", datetime.timedelta), ("return json.dumps([1])", "[1]"),
            ("def f():\n  return [json.loads(x) for x in ['1']]\nreturn f()", [1]),
            ("class A:\n  j = json\nreturn A.j", json), ("return (lambda: uuid)()", uuid),
            ("global json\nreturn json", json),
        ):
            with self.subTest(text):
                self.assertEqual(run(text), expected)

    def test_they_are_imported_when_used_and_once_per_script(self):
        for text, expected in (
            ("return json", ["json"]), ("return json, uuid, timedelta", ["datetime", "json", "uuid"]),
            ("return 1", []), ("return tabpy.json if 0 else 1", []), ("json = 1\nreturn json", []),
            ("import json as j\nreturn j", []), ("return 'json'", []), ("return dict(json=1)", []), ("# json\nreturn 1", []),
            ("for uuid in []: pass", []), ("def f(json): return json\nreturn f(1)", []),
            ("return [json for json in [1]]", []), ("def f():\n  json = 1\n  return json\nreturn json", ["json"]),
        ):
            with self.subTest(text):
                self.assertEqual(self.imported_by(text), expected)

    def test_a_missing_one_is_a_name_error(self):
        self.assertEqual(self.imported_by("return simplejson", "simplejson"), ["simplejson"])
        with mock.patch.dict(sys.modules, {"simplejson": None}):
            with self.assertRaisesRegex(NameError, "name 'simplejson' is not defined"):
                run("return simplejson")
            self.assertEqual(run("try:\n  simplejson\nexcept NameError:\n  return 'without'"), "without")

    def test_one_that_fails_to_load_is_a_name_error(self):
        class Broken:
            def find_spec(self, name, *_):
                if name == "pyarrow":
                    raise RuntimeError("built for another machine")

        with mock.patch.dict(sys.modules), mock.patch.object(sys, "meta_path", [Broken(), *sys.meta_path]):
            sys.modules.pop("pyarrow", None)
            with self.assertRaises(NameError):
                run("return pyarrow")

    def test_an_assigned_name_is_the_scripts(self):
        self.assertEqual(run("json = 5\nreturn json"), 5)
        self.assertEqual(run("import datetime as uuid\nreturn uuid"), datetime)
        with self.assertRaises(UnboundLocalError):
            run("if 0:\n  json = 5\nreturn json")

    def test_attributes_of_that_name_are_not_presets(self):
        self.assertEqual(run("return _arg1.json", types.SimpleNamespace(json=3)), 3)


class ScriptCacheTest(unittest.TestCase):
    def setUp(self):
        self.cache = scripts.ScriptCache()

    def test_returns_the_same_script_for_the_same_text_and_names(self):
        first = self.cache.get("return 1", ("_arg1",))
        self.assertIs(self.cache.get("return 1", ("_arg1",)), first)
        self.assertIsNot(self.cache.get("return 1", ("_arg1", "_arg2")), first)
        self.assertIsNot(self.cache.get("return 1 ", ("_arg1",)), first)

    def test_does_not_keep_a_script_that_does_not_compile(self):
        for text, error in (("return return", SyntaxError), ("# c", scripts.EmptyScript)):
            for _ in range(2):
                with self.assertRaises(error):
                    self.cache.get(text, ())

    def test_evicts_the_least_recently_used(self):
        with mock.patch.object(scripts, "CACHE_SCRIPTS", 3):
            one, two, three = (self.cache.get("return %d" % at, ()) for at in (1, 2, 3))
            self.assertIs(self.cache.get("return 1", ()), one)
            self.cache.get("return 4", ())
            self.assertIs(self.cache.get("return 1", ()), one)
            self.assertIs(self.cache.get("return 3", ()), three)
            self.assertIsNot(self.cache.get("return 2", ()), two)

    def test_is_limited_by_characters(self):
        def text(at, size):
            return ("return %d #" % at).ljust(size, "x")

        with mock.patch.object(scripts, "CACHE_CHARACTERS", 100):
            one, two = self.cache.get(text(1, 40), ()), self.cache.get(text(2, 40), ())
            self.assertIs(self.cache.get(text(1, 40), ()), one)
            self.cache.get(text(3, 40), ())
            self.assertIs(self.cache.get(text(1, 40), ()), one)
            self.assertIsNot(self.cache.get(text(2, 40), ()), two)

    def test_does_not_keep_a_script_larger_than_its_limit(self):
        with mock.patch.object(scripts, "CACHE_CHARACTERS", 100):
            small = self.cache.get("return 1", ())
            large = "return 2 #" + "x" * 100
            script = self.cache.get(large, ())
            self.assertEqual(script.bind()(None), 2)
            self.assertIsNot(self.cache.get(large, ()), script)
            # It was evicted for the large one; later scripts are kept again.
            again = self.cache.get("return 1", ())
            self.assertIsNot(again, small)
            self.assertIs(self.cache.get("return 1", ()), again)

    def test_counts_the_characters_that_it_keeps(self):
        with mock.patch.object(scripts, "CACHE_SCRIPTS", 5), mock.patch.object(scripts, "CACHE_CHARACTERS", 60):
            for at in range(200):
                self.cache.get("return %d" % (at % 13), ("_arg1",) * (at % 2))
                held = self.cache._scripts
                self.assertLessEqual(len(held), 5)
                self.assertEqual(self.cache._characters, sum(len(text) for text, _ in held))
