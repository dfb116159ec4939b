"""Runs logging configurations through Python's own logging.config.fileConfig, for differential.test.ts.

Standard input: JSON, a list of cases, each with `config` (the text of a config file), `records`, `files` (what is in
the folder before: name, text, mtime in seconds) and `zone` (for TZ). Standard output: JSON, for each what standard
output, standard error and the files contain, or `error`, the type of what fileConfig raised.
"""

import configparser
import io
import json
import logging
import logging.config
import logging.handlers
import os
import sys
import tempfile
import time

PID = 4321


class Output(io.StringIO):
    """Like standard output: write-only."""

    def __iter__(self):
        raise io.UnsupportedOperation("not readable")


def reset():
    logging.shutdown()
    logging._handlerList.clear()
    logging.root.manager.loggerDict.clear()
    logging.root.handlers.clear()
    logging.root.setLevel(logging.WARNING)


def emit(record, start_ms):
    logger = logging.getLogger(record["name"])
    level = logging.getLevelName(record["level"])
    if not logger.isEnabledFor(level):
        return
    # As the server writes further lines of a message.
    message = record["message"].replace("\n", "\n    ")
    made = logger.makeRecord(record["name"], level, record["file"], 0, message, (), None, "(unknown function)")
    made.created = record["createdMs"] / 1000
    made.msecs = float(record["createdMs"] % 1000)
    made.relativeCreated = float(record["createdMs"] - start_ms)
    made.process = made.thread = PID
    made.taskName = None
    logger.handle(made)


def run(case):
    os.environ["TZ"] = case["zone"]
    time.tzset()
    reset()
    now = [case["records"][0]["createdMs"] if case["records"] else 0]
    time.time = lambda: now[0] / 1000
    out, error = Output(), Output()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for file in case["files"]:
            with open(file["name"], "w", encoding="utf-8", newline="") as opened:
                opened.write(file["text"])
            os.utime(file["name"], (file["mtime"], file["mtime"]))
        sys.stdout, sys.stderr = out, error
        try:
            ini = configparser.ConfigParser()
            ini.read_string(case["config"])
            logging.config.fileConfig(ini, disable_existing_loggers=False)
            start_ms = now[0]
            for record in case["records"]:
                now[0] = record["createdMs"]
                emit(record, start_ms)
            reset()
        except Exception as failure:
            return {"error": type(failure).__name__}
        finally:
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
            reset()
            os.chdir("/")
        files = {}
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as opened:
                files[name] = opened.read().decode("latin-1")
        return {"stdout": out.getvalue(), "stderr": error.getvalue(), "files": files}


json.dump([run(case) for case in json.load(sys.stdin)], sys.stdout)
