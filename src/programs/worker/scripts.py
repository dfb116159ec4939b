"""Scripts of POST /evaluate: compiled once, run as a function body with fresh globals each time.

A script is the body of `_user_script(tabpy, _arg1, ..., _argN)`. It is parsed as it is, and its syntax tree is put
into that function, so that strings stay unchanged and line numbers are the user's.
"""

import ast
import builtins
import importlib
import os
import re
import sys
import types
from collections import OrderedDict

from _tabpy_worker.function_log import encode_function

MODULE_NAME = "tabpy_script"
FILE_NAME = "<string>"
FUNCTION_NAME = "_user_script"
# Scripts look for files beside `__file__`: it names no file, in the folder where they run.
_FILE = os.path.join(os.getcwd(), MODULE_NAME + ".py")
while os.path.lexists(_FILE):
    _FILE = _FILE[:-3] + "_.py"
CACHE_SCRIPTS = 512
CACHE_CHARACTERS = 16 * 1024 * 1024

# Names that scripts written for TabPy use without importing them: name -> (module, attribute or None).
PRESETS = {
    "json": ("json", None),
    "logging": ("logging", None),
    "pandas": ("pandas", None),
    "pyarrow": ("pyarrow", None),
    "requests": ("requests", None),
    "simplejson": ("simplejson", None),
    "timedelta": ("datetime", "timedelta"),
    "uuid": ("uuid", None),
}


class EmptyScript(Exception):
    """The script has no statement."""


class Script:
    """A compiled script; `bind` gives it globals of its own."""

    __slots__ = ("_argument_names", "_code", "_function", "_presets", "_text", "_used_presets")

    def __init__(self, text, argument_names):
        if text.startswith("\ufeff"):
            text = text[1:]
        module = _parse_script(text)
        if not module.body:
            raise EmptyScript
        self._used_presets = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)} & PRESETS.keys()
        self._code = _compile(module, argument_names)
        self._presets = None
        self._text = text
        self._argument_names = argument_names
        self._function = None

    def function(self):
        """The function for the log, as JSON bytes (function_log.py); made once."""
        if self._function is None:
            self._function = encode_function(self._text, self._argument_names)
        return self._function

    def bind(self):
        """A function of `tabpy, _arg1, ...` with fresh globals."""
        if self._presets is None:  # imported inside the call: its time limit applies to the imports too
            self._presets = _import_presets(self._used_presets & _global_names(self._code))
        names = {"__name__": MODULE_NAME, "__file__": _FILE, "__builtins__": builtins}
        names.update(self._presets)
        return types.FunctionType(self._code, names)

    def code_ids(self):
        """The ids of its code objects, without those that `exec` and dataclasses compile under its file name."""
        return set(map(id, _nested_codes(self._code)))

    def line_text(self, number):
        """A line of the script, stripped, for tracebacks."""
        lines = re.split("\r\n|\r|\n", self._text)  # exactly the line ends that Python recognizes
        return lines[number - 1].strip()[:200] if 0 < number <= len(lines) else ""


class ScriptCache:
    """Compiled scripts by text and argument names; the least recently used are evicted first."""

    def __init__(self):
        self._scripts = OrderedDict()
        self._characters = 0

    def get(self, text, argument_names):
        """The compiled script. Raises EmptyScript, SyntaxError and whatever else `ast.parse` raises."""
        key = (text, argument_names)
        script = self._scripts.get(key)
        if script is not None:
            self._scripts.move_to_end(key)
            return script
        script = Script(text, argument_names)
        self._scripts[key] = script
        self._characters += len(text)
        while len(self._scripts) > CACHE_SCRIPTS or self._characters > CACHE_CHARACTERS:
            (oldest, _), _ = self._scripts.popitem(last=False)
            self._characters -= len(oldest)
        return script


def _compile(module, argument_names):
    """The code of `_user_script` with the statements of `module` as its body."""
    future, body = _split_future_imports(module.body)
    arguments = ast.arguments(
        posonlyargs=[], args=[ast.arg(arg=name, lineno=1, col_offset=0) for name in ("tabpy", *argument_names)],
        vararg=None, kwonlyargs=[], kw_defaults=[], kwarg=None, defaults=[])
    function = ast.FunctionDef(name=FUNCTION_NAME, args=arguments, body=body or [ast.Pass()], decorator_list=[],
                               returns=None, type_comment=None, type_params=[], lineno=1, col_offset=0)
    tree = ast.fix_missing_locations(ast.Module(body=[*future, function], type_ignores=[]))
    code = compile(tree, FILE_NAME, "exec", dont_inherit=True)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType) and constant.co_name == FUNCTION_NAME:
            return constant
    raise SyntaxError("the script has no body")


def _parse_script(text):
    try:
        return _parse(text)
    except SyntaxError as error:
        # Tableau Prep puts lines before a user's file, which may begin with a byte order mark.
        without = text.replace("\n\ufeff", "\n")
        if without == text or "U+FEFF" not in str(error.msg):
            raise
        return _parse(without)


def _parse(text):
    try:
        return ast.parse(text, FILE_NAME)
    except IndentationError as error:
        # A script that is indented as a whole is fine as a function's body. Below `if 1:` it parses, one line
        # further down, without a change of its text.
        if not error.msg.startswith("unexpected indent"):
            raise
        try:
            module = ast.parse("if 1:\n" + text, FILE_NAME)
        except SyntaxError:
            raise error from None
        if len(module.body) != 1 or module.body[0].orelse:  # an `else` at the margin would belong to our `if`
            raise
        for node in ast.walk(module):
            if hasattr(node, "lineno"):
                node.lineno -= 1
                node.end_lineno -= 1
        return ast.Module(body=module.body[0].body, type_ignores=[])


def _split_future_imports(body):
    """`from __future__` imports, which must come before the function, and the rest.

    A module must begin with them. Here they may stand anywhere: Tableau Prep puts lines before a user's file.
    """
    future = [node for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    return future, [node for node in body if node not in future]


def _import_presets(names):
    found = {}
    for name in names:
        module, attribute = PRESETS[name]
        try:
            loaded = importlib.import_module(module)
        except Exception:
            continue  # using the name is then a NameError, as anywhere in Python
        found[name] = getattr(loaded, attribute) if attribute else loaded
    return found


def _global_names(code):
    """Names that may be looked up as globals, including names of attributes and imports."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names


def _nested_codes(code):
    """`code` and the functions, classes and comprehensions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested_codes(constant)


def register_module():
    """Register the module that the scripts' `__module__` names: pickle, dataclasses and typing look it up."""
    sys.modules[MODULE_NAME] = types.ModuleType(MODULE_NAME, "Scripts run by the TabPy server.")
