# A Python worker of the TabPy server.
# The first program on a fresh interpreter's standard input: writes which Python this is, then reads the worker program
# there. It must parse on every Python since 2.6, so that an old one is refused clearly, not with a SyntaxError.
import sys
if sys.path[:1] == [""]:  # -c puts the current folder first: nothing may be imported from there
    del sys.path[0]
import json, os, struct

def take(size):
    data = b""
    while len(data) < size:
        more = os.read(0, size - len(data))
        if not more:
            os._exit(0)
        data += more
    return data

def boot():
    implementation = getattr(getattr(sys, "implementation", None), "name", "cpython")
    hello = json.dumps({"id": 0, "kind": "hello", "version": list(sys.version_info[:3]),
                        "implementation": implementation, "executable": sys.executable or ""}).encode("ascii")
    os.write(1, struct.pack("<II", len(hello), 0) + hello)
    header_size, body_size = struct.unpack("<II", take(8))
    start = json.loads(take(header_size).decode("utf-8"))
    sources = json.loads(take(body_size).decode("utf-8"))
    name = "_tabpy_worker.start"
    program = {"__name__": name}
    exec(compile(sources[name], "<%s>" % name, "exec"), program)
    program["run"](start, sources)

boot()
