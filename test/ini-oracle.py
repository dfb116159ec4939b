"""What Python's own configparser does with the texts and values of ini.test.ts.

Reads one JSON request from stdin and writes one JSON answer to stdout, so that a whole table costs one process.
"""

import configparser
import io
import json
import re
import sys


class Parser(configparser.ConfigParser):
    # Python 3.9 ended a header at its first "]"; later versions, and ini.ts, end it at the last.
    SECTCRE = re.compile(r"\[(?P<header>.+)\]")


class KeepCase(Parser):
    def optionxform(self, optionstr):
        return optionstr


def make(case):
    # The escape of "%" is a difference on purpose, see parseIni.
    defaults = {name: value.replace("%", "%%") for name, value in case.get("defaults", {}).items()}
    return (KeepCase if case["keepCase"] else Parser)(defaults)


def fault_line(error):
    return error.errors[0][0] if type(error) is configparser.ParsingError else error.lineno


def read(case):
    """Reads the text as a file; tells the kind and line of the first fault."""
    file = io.TextIOWrapper(io.BytesIO(case["text"].encode()), encoding=case.get("encoding", "utf-8-sig"))
    lines = list(file)
    parser = make(case)
    try:
        parser.read_file(lines)
    except configparser.Error as error:
        # Python raises a ParsingError only at the end of the text, after any other error; ini.ts stops at once.
        line = fault_line(error)
        try:
            make(case).read_file(lines[: line - 1])
        except configparser.Error as earlier:
            error, line = earlier, fault_line(earlier)
        return {"error": type(error).__name__, "line": line}
    return {"sections": content(parser), "written": written(parser)}


def content(parser):
    def value(section, option):
        try:
            return {"value": parser.get(section, option)}
        except configparser.InterpolationError as error:
            return {"error": type(error).__name__}

    names = {"DEFAULT": list(parser.defaults())} | {name: parser.options(name) for name in parser.sections()}
    return [
        [section, [[option, parser.get(section, option, raw=True), value(section, option)] for option in options]]
        for section, options in names.items()
    ]


def written(parser):
    file = io.StringIO()
    parser.write(file)
    return file.getvalue()


def write(case):
    """Sets sections and values and writes them; `survives` when a parser reads back the same."""
    parser = make(case)
    try:
        for section, options in case["sections"]:
            if section != "DEFAULT" and not parser.has_section(section):
                parser.add_section(section)
            for name, value in options:
                parser.set(section, name, value)
        text = written(parser)
    except ValueError:
        return {"survives": False}
    again = read({"text": text, "keepCase": case["keepCase"]})
    return {"text": text, "survives": again.get("sections") == content(parser)}


request = json.load(sys.stdin)
answer = {"reads": [read(case) for case in request["reads"]], "writes": [write(case) for case in request["writes"]]}
json.dump(answer, sys.stdout)
