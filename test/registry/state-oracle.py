"""Reads and writes state files with Python's own configparser, as TabPy does.

Reads one JSON request from stdin and writes one JSON answer to stdout, so that all registries cost one process.
"""

import configparser
import io
import json
import sys

VERSIONS = "Query Objects Service Versions"
DOCSTRINGS = "Query Objects Docstrings"


def parser():
    made = configparser.ConfigParser(allow_no_value=True)
    made.optionxform = str
    return made


def canonical(text):
    """The same text for all JSON of the same value; 1 and 1.0 differ."""
    return json.dumps(json.loads(text), sort_keys=True)


def read(text):
    """The sections other than endpoints, and the record and the docstring of each endpoint."""
    state = parser()
    state.read_file(io.TextIOWrapper(io.BytesIO(text.encode("utf-8")), encoding="utf-8"))
    endpoints = {name: [canonical(state.get(VERSIONS, name)),
                        bytes(state.get(DOCSTRINGS, name), "utf-8").decode("unicode_escape")]
                 for name in state.options(VERSIONS)}
    rest = {section: {name: state.get(section, name) for name in state.options(section)}
            for section in state.sections() if section not in (VERSIONS, DOCSTRINGS)}
    return {"endpoints": list(endpoints.items()), "rest": rest, "docstrings": sorted(state.options(DOCSTRINGS))}


def write(endpoints):
    """The text of a state file; of each endpoint its record as it was written and its docstring as it is read back."""
    state = parser()
    for section in ("Service Info", VERSIONS, DOCSTRINGS, "Meta"):
        state.add_section(section)
    state.set("Meta", "Revision Number", "7")
    for endpoint in endpoints:
        docstring = endpoint["docstring"]
        if endpoint["isEscaped"]:
            docstring = docstring.encode("unicode_escape").decode("ascii")
        state.set(VERSIONS, endpoint["name"], json.dumps(json.loads(endpoint["record"])).replace("%", "%%"))
        state.set(DOCSTRINGS, endpoint["name"], docstring.replace("%", "%%"))
    file = io.StringIO()
    state.write(file)
    again = parser()
    again.read_string(file.getvalue())
    answer = []
    for endpoint in endpoints:
        docstring = again.get(DOCSTRINGS, endpoint["name"])
        if endpoint["isEscaped"]:
            docstring = docstring.encode("ascii").decode("unicode_escape")
        answer.append([endpoint["name"], json.dumps(json.loads(endpoint["record"])), docstring])
    return {"text": file.getvalue(), "endpoints": answer}


request = json.load(sys.stdin)
json.dump({"canonical": [canonical(text) for text in request["canonical"]],
           "reads": [read(text) for text in request["reads"]],
           "writes": [write(endpoints) for endpoints in request["writes"]]}, sys.stdout)
