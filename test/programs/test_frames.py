"""The channel: frames.py against frames that these tests assemble themselves."""

import json
import os
import struct
import threading
import unittest
from unittest import mock

from _tabpy_worker import frames


def frame(header, body=b""):
    head = json.dumps(header).encode("ascii")
    return struct.pack("<II", len(head), len(body)) + head + body


def read_all(data, count=None):
    """The frames that a reader finds in `data`, which is written while it reads; the stream ends after it."""
    source, target = os.pipe()

    def write():
        with open(target, "wb") as file:
            file.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        reader = frames.FrameReader(source)
        found = []
        while count is None or len(found) < count:
            next_frame = reader.read()
            if next_frame is None:
                break
            found.append((next_frame[0], bytes(next_frame[1])))
        return found
    finally:
        writer.join()
        os.close(source)


class Pieces:
    """A stream whose reads return `data` up to the next cut, like a pipe that is written in pieces."""

    def __init__(self, data, cuts):
        self._data = data
        self._ends = [*cuts, len(data)]
        self._at = 0

    def read(self, _fd, size):
        start = self._at
        end = next((end for end in self._ends if end > start), start)
        self._at = min(end, start + size)
        return self._data[start:self._at]

    def readinto(self, view):
        piece = self.read(0, len(view))
        view[:len(piece)] = piece
        return len(piece)


def written(write):
    """The bytes that `write` writes when it is given a writer."""
    source, target = os.pipe()
    parts = []

    def read():
        with open(source, "rb") as file:
            parts.append(file.read())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        write(frames.FrameWriter(target))
    finally:
        os.close(target)
        reader.join()
    return parts[0]


BODIES = {
    "empty": b"",
    "one byte": b"x",
    "small": b'{"script": "return 1"}',
    "every byte": bytes(range(256)),
    "looks like a frame": frame({"id": 9, "kind": "evaluate"}, b"no"),
    "one below the size of a read": b"a" * (frames.READ_SIZE - 1),
    "the size of a read": b"b" * frames.READ_SIZE,
    "one above the size of a read": b"c" * (frames.READ_SIZE + 1),
    "large": bytes(range(256)) * 8000,
}


class FrameReaderTest(unittest.TestCase):
    def test_reads_bodies_of_any_size(self):
        for name, body in BODIES.items():
            with self.subTest(name):
                self.assertEqual(read_all(frame({"id": 3, "kind": "evaluate"}, body)),
                                 [({"id": 3, "kind": "evaluate"}, body)])

    def test_reads_frames_one_after_the_other(self):
        sent = [({"id": at, "kind": "evaluate"}, body) for at, body in enumerate(BODIES.values())]
        self.assertEqual(read_all(b"".join(frame(*each) for each in sent)), sent)

    def test_reads_a_header_beyond_ascii(self):
        head = '{"name": "µ\u2028😀"}'.encode("utf-8")
        self.assertEqual(read_all(struct.pack("<II", len(head), 2) + head + b"ok"), [({"name": "µ\u2028😀"}, b"ok")])

    def test_returns_none_when_the_stream_ends_inside_a_frame(self):
        whole = frame({"id": 1, "kind": "evaluate"}, b"body")
        for cut in range(len(whole)):
            with self.subTest(cut=cut):
                self.assertEqual(read_all(whole[:cut]), [])
                self.assertEqual(read_all(whole + whole[:cut]), [({"id": 1, "kind": "evaluate"}, b"body")])

    def test_returns_none_when_the_stream_ends_in_a_large_body(self):
        self.assertEqual(read_all(frame({"id": 1}, b"x" * 300000)[:-1]), [])

    def test_assembles_frames_from_reads_of_any_size(self):
        first, second = ({"id": 1, "kind": "evaluate"}, b"first"), ({"id": 2, "kind": "evaluate"}, b"")
        data = frame(*first) + frame(*second)
        cuts = [(at,) for at in range(1, len(data))]
        cuts += [(at, at + length) for length in (1, 3, 8, 20) for at in range(1, len(data) - length)]
        cuts += [range(1, len(data)), range(5, len(data), 5), ()]
        for places in cuts:
            with self.subTest(cuts=places):
                stream = Pieces(data, places)
                with mock.patch.object(frames.os, "read", stream.read), \
                        mock.patch.object(frames.io, "FileIO", lambda *_, **__: stream):
                    reader = frames.FrameReader(0)
                    found = [reader.read(), reader.read()]
                    self.assertIsNone(reader.read())
                self.assertEqual([(header, bytes(body)) for header, body in found], [first, second])

    def test_wait_tells_whether_a_frame_starts(self):
        source, target = os.pipe()
        try:
            reader = frames.FrameReader(source)
            self.assertFalse(reader.wait(0))
            os.write(target, frame({"id": 1}) + frame({"id": 2}))
            for left in (2, 1):
                self.assertTrue(reader.wait(60), left)  # the second one is in the reader's own buffer
                reader.read()
            self.assertFalse(reader.wait(0))
            os.close(target)
            target = None
            self.assertTrue(reader.wait(60))  # the end of the stream
            self.assertIsNone(reader.read())
        finally:
            os.close(source)
            if target is not None:
                os.close(target)

    def test_leaves_the_descriptor_open(self):
        source, target = os.pipe()
        os.close(target)
        reader = frames.FrameReader(source)
        self.assertIsNone(reader.read())
        del reader
        os.close(source)  # OSError if it were closed


class FrameWriterTest(unittest.TestCase):
    def test_write_sends_header_and_body(self):
        for name, body in BODIES.items():
            with self.subTest(name):
                header = {"id": 0, "kind": "ready", "name": "µ\ud800"}
                self.assertEqual(written(lambda writer: writer.write(header, body)), frame(header, body))

    def test_write_needs_no_body(self):
        self.assertEqual(written(lambda writer: writer.write({"id": 0})), frame({"id": 0}))

    def test_read_returns_what_write_reply_wrote(self):
        for number in (1, 255, 2**31, 2**53):
            for kind in (b"result", b"raised", b"rejected"):
                for more in ({}, {"leftovers": "threads"}, {"etag": '"é"', "leftovers": "processes"}):
                    with self.subTest(number=number, kind=kind, more=more):
                        data = written(lambda writer: writer.write_reply(number, kind, b"[1]", 12, more))
                        header = {"id": number, "kind": kind.decode(), "took": 12, **more}
                        self.assertEqual(read_all(data), [(header, b"[1]")])

    def test_write_continues_after_a_partial_write(self):
        write = os.write
        for body in (b"short", b"x" * (frames.READ_SIZE + 10)):
            with self.subTest(size=len(body)), mock.patch.object(
                    frames.os, "write", lambda fd, data: write(fd, bytes(data[:1000 if len(data) > 1000 else 3]))):
                data = written(lambda writer: writer.write({"id": 1}, body))
            self.assertEqual(data, frame({"id": 1}, body))

    def test_write_raises_when_nobody_reads(self):
        source, target = os.pipe()
        os.close(source)
        try:
            with self.assertRaises(OSError):
                frames.FrameWriter(target).write_reply(1, b"result", b"1", 0, {})
        finally:
            os.close(target)
