"""The floor of the benchmark: the same scripts in a bare Python loop, without HTTP and without a server.

Each line of standard input is a job, JSON: {"body": text, "wanted": JSON text, "loads": module, "dumps": module,
"calls": n}, where a module is "json" or "orjson". Each is answered with a line {"seconds": n per call}; a wrong answer
ends the process with an error.
"""

import importlib
import json
import sys
import time


def run(job):
    body = job["body"].encode("utf-8")
    loads = importlib.import_module(job["loads"]).loads
    dumps = importlib.import_module(job["dumps"]).dumps
    request = loads(body)
    names = ", ".join(["tabpy", *request["data"]])
    lines = "".join(" %s\n" % line for line in request["script"].split("\n"))
    code = compile("def script(%s):\n%s" % (names, lines), "<string>", "exec")
    del request
    started = time.perf_counter()
    for _ in range(job["calls"]):
        request = loads(body)
        scope = {}
        exec(code, scope)
        answer = dumps(scope["script"](None, *request["data"].values()))
    seconds = time.perf_counter() - started
    if json.loads(answer) != json.loads(job["wanted"]):
        raise SystemExit("the floor's answer is wrong: %.100r" % answer)
    return seconds / job["calls"]


for line in sys.stdin:
    print(json.dumps({"seconds": run(json.loads(line))}), flush=True)
