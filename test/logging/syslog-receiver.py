"""Receives syslog messages for syslog.test.ts: `syslog-receiver.py KIND [PATH]`, KIND one of udp, tcp, unix-datagram
and unix-stream. Prints its port, or 0, and then each message as JSON on a line; ends when its standard input does."""

import json
import os
import socket
import sys
import threading


def bind(kind, path):
    family = socket.AF_UNIX if kind.startswith("unix") else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM if kind in ("udp", "unix-datagram") else socket.SOCK_STREAM)
    made.bind(path if family == socket.AF_UNIX else ("127.0.0.1", 0))
    return made


def messages(made):
    if made.type == socket.SOCK_DGRAM:
        while True:
            yield made.recv(65536)
    made.listen()
    while True:
        connection, _ = made.accept()
        rest = b""
        for part in iter(lambda: connection.recv(65536), b""):
            *whole, rest = (rest + part).split(b"\0")
            for one in whole:
                yield one + b"\0"


def end_with_input():
    sys.stdin.read()
    os._exit(0)


def main(kind, path=None):
    made = bind(kind, path)
    print(made.getsockname()[1] if path is None else 0, flush=True)
    threading.Thread(target=end_with_input, daemon=True).start()
    for message in messages(made):
        print(json.dumps(message.decode("latin-1")), flush=True)


main(*sys.argv[1:])
