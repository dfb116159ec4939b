"""The floor for scripts/bench: the same requests in a bare Python loop, without HTTP and without a server.

Reads from standard input one line, JSON: {"body": text, "calls": n, "orjson": bool}. Prints JSON: {"seconds": total,
"answer": text of the last answer}.
"""

import json
import sys
import time


def main():
    job = json.loads(sys.stdin.readline())
    body = job["body"].encode("utf-8")
    if job["orjson"]:
        import orjson
        loads, dumps = orjson.loads, orjson.dumps
    else:
        loads, dumps = json.loads, lambda value: json.dumps(value).encode("ascii")
    request = loads(body)
    names = ", ".join(["tabpy", *request["data"]])
    lines = "".join(" %s\n" % line for line in request["script"].split("\n"))
    code = compile("def script(%s):\n%s" % (names, lines), "<string>", "exec")
    started = time.perf_counter()
    for _ in range(job["calls"]):
        request = loads(body)
        scope = {}
        exec(code, scope)
        answer = dumps(scope["script"](None, *request["data"].values()))
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "answer": answer.decode("ascii")[:100]}))


main()
