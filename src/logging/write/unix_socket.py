"""Sends messages to a Unix domain socket for the server, whose runtime has no datagram sockets of that kind.

Arguments: the socket's path, and `datagram`, `stream` or `any` (datagram, then stream). Standard input: batches, each
a count and as many messages, each preceded by its length; numbers are 4 bytes, little-endian. Standard output: one line
per batch, separated by tabs: how many of its messages are done, how many of these were too long, and why not all were
sent.
"""

import errno
import socket
import struct
import sys

TIMEOUT_SECONDS = 10
KINDS = {"datagram": [socket.SOCK_DGRAM], "stream": [socket.SOCK_STREAM],
         "any": [socket.SOCK_DGRAM, socket.SOCK_STREAM]}


def connect(path, kinds):
    failure = None
    for kind in kinds:
        made = socket.socket(socket.AF_UNIX, kind)
        made.settimeout(TIMEOUT_SECONDS)
        try:
            made.connect(path)
            return made
        except OSError as error:
            made.close()
            failure = error
    raise failure


def main(path, kinds):
    source, answer = sys.stdin.buffer, sys.stdout
    opened = None
    while True:
        head = source.read(4)
        if len(head) < 4:
            return
        messages = []
        for _ in range(struct.unpack("<I", head)[0]):
            messages.append(source.read(struct.unpack("<I", source.read(4))[0]))
        done, lost, reason = 0, 0, ""
        for message in messages:
            for is_last_try in (False, True):
                try:
                    if opened is None:
                        opened = connect(path, kinds)
                    opened.sendall(message)
                    done += 1
                    break
                except OSError as error:
                    if error.errno == errno.EMSGSIZE:  # it will never fit
                        done, lost, reason = done + 1, lost + 1, str(error)
                        break
                    if opened is not None:
                        opened.close()
                    opened = None
                    if is_last_try:
                        reason = str(error)
            if opened is None:
                break
        print("%d\t%d\t%s" % (done, lost, reason.replace("\n", " ")), file=answer, flush=True)


main(sys.argv[1], KINDS[sys.argv[2]])
