"""Sends messages to a socket of this machine in the server's place, which can't open a datagram socket itself.

Arguments: the socket's path, and `datagram`, `stream` or `any` (a datagram, then a stream). Standard input: batches,
each a count and then as many messages behind their lengths, all numbers of 4 bytes, little-endian. Standard output:
for each batch one line, how many of its messages are done with, how many of these were too long, and why not all were
sent, with tabs between.
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
