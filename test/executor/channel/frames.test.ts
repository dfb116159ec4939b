import { expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import {
  encodeFrame,
  FrameDecoder,
  FrameWriter,
  maxBodyBytes,
  type OnFrame,
} from "../../../src/executor/channel/frames.ts";
import type { Header } from "../../../src/executor/channel/messages.ts";
import { byteLength } from "../../../src/executor/executor.ts";
import { MemoryAccount } from "../../../src/memory-account.ts";
import { testPython } from "../../support/interpreters.ts";

interface Frame {
  header: Header;
  body: string;
}

const model = { name: "two words", version: 3, archive: "/a/ü", key: "k" };
const headers: Header[] = [
  { id: 0, kind: "start", key: "k", marker: "m", orjson: true, keepMemory: true, models: 3, url: "http://ü" },
  { id: 7, kind: "evaluate", callId: "c", revision: 1 },
  { id: 8, kind: "evaluate", callId: "é", revision: 2, function: true, notAfter: 123_456_789_012 },
  { id: 9, kind: "query", model, callId: "u", revision: 3, notAfter: 5 },
  { id: 10, kind: "load", callId: "l", revision: 4, model },
  { id: 11, kind: "resolved" },
  { id: 12, kind: "resolve" },
  { id: 0, kind: "modules", own: true },
  { id: 13, kind: "result", took: 7, etag: '"5"' },
  { id: 0, kind: "hello", version: [3, 11, 7], implementation: "cpython", executable: "/usr/bin/Python ü" },
  { id: 0, kind: "ready", pid: 42, clock: 99 },
  { id: 1, kind: "result", took: 5 },
  { id: 2, kind: "raised", took: 0, function: 'def f():\n "é"' },
  { id: 3, kind: "rejected", took: 1 },
  { id: 4, kind: "returned", took: 0 },
  { id: 5, kind: "result", took: 9, leftovers: "processes" },
  { id: 6, kind: "result", took: 9, leftovers: "threads" },
  { id: 7, kind: "result", took: 9, leftovers: "descriptors" },
];
const bodies = ["", "x", "[1, 2]\0\n", "é".repeat(1000), "y".repeat(70_000)];

/** A decoder with memory for everything. */
function decoderOf(onFrame: (...frame: Parameters<OnFrame>) => void = () => {}): FrameDecoder {
  return new FrameDecoder(
    (...frame) => {
      onFrame(...frame);
      return false;
    },
    new MemoryAccount(2 ** 31),
  );
}

function decodeAll(bytes: Uint8Array, chunkBytes: number): Frame[] {
  const frames: Frame[] = [];
  const decoder = decoderOf((header, body) => frames.push({ header, body: body?.toString() ?? "none" }));
  for (let at = 0; at < bytes.length; at += chunkBytes)
    decoder.push(Buffer.from(bytes.subarray(at, at + chunkBytes)));
  expect(decoder.isInsideFrame).toBe(false);
  return frames;
}

const wanted: Frame[] = headers.flatMap((header) => bodies.map((body) => ({ header, body })));
const stream = Buffer.concat(wanted.flatMap(({ header, body }) => encodeFrame(header, [Buffer.from(body)])));

test.each([1, 7, 8, 9, 64, 65_536, 1 << 24])(
  "FrameDecoder reads its frames from chunks of %d bytes",
  (chunkBytes) => {
    expect(decodeAll(stream, chunkBytes)).toEqual(wanted);
  },
);

test.each(bodies)("encodeFrame() accepts a body in pieces", (body) => {
  const whole = Buffer.from(body);
  for (const pieceBytes of [1, 1000, 65_536]) {
    const pieces: Buffer[] = [];
    for (let at = 0; at < whole.length; at += pieceBytes) pieces.push(whole.subarray(at, at + pieceBytes));
    const header: Header = { id: 7, kind: "evaluate", callId: "c", revision: 1 };
    expect(Buffer.concat(encodeFrame(header, pieces))).toEqual(Buffer.concat(encodeFrame(header, [whole])));
  }
});

test("FrameWriter writes complete frames in order to a stream that accepts little at a time", async () => {
  const pipe = new PassThrough({ highWaterMark: 1000 });
  const writer = new FrameWriter(pipe);
  for (const { header, body } of wanted) writer.write(header, [Buffer.from(body)]);
  expect(pipe.writableLength).toBeLessThan(200_000); // the rest waits outside of it
  const chunks: Buffer[] = [];
  for await (const chunk of pipe) {
    chunks.push(chunk);
    if (byteLength(chunks) >= stream.length) break;
  }
  expect(decodeAll(Buffer.concat(chunks), 4096)).toEqual(wanted);
});

test("every kind of message is the same after a round trip through frames.py", async () => {
  const script = `
import sys; sys.path.insert(0, sys.argv[1])
import frames
reader, writer = frames.FrameReader(0), frames.FrameWriter(1)
while True:
    frame = reader.read()
    if frame is None: break
    writer.write(frame[0], bytes(frame[1]))
`;
  const folder = new URL("../../../src/programs/worker", import.meta.url).pathname;
  const python = Bun.spawn([testPython().file, "-c", script, folder], {
    stdin: stream,
    stdout: "pipe",
    stderr: "inherit",
  });
  const echoed = new Uint8Array(await new Response(python.stdout).arrayBuffer());
  expect(await python.exited).toBe(0);
  expect(decodeAll(echoed, 4096)).toEqual(wanted);
});

test("write_reply() of frames.py writes what the decoder reads", async () => {
  const script = `
import sys; sys.path.insert(0, sys.argv[1])
import frames
writer = frames.FrameWriter(1)
writer.write_reply(3, b"result", b"[1]", 5, {})
writer.write_reply(4, b"raised", b"{}", 6, {"leftovers": "threads"})
`;
  const folder = new URL("../../../src/programs/worker", import.meta.url).pathname;
  const python = Bun.spawn([testPython().file, "-c", script, folder], { stdout: "pipe", stderr: "inherit" });
  const written = new Uint8Array(await new Response(python.stdout).arrayBuffer());
  expect(decodeAll(written, 4096)).toEqual([
    { header: { id: 3, kind: "result", took: 5 }, body: "[1]" },
    { header: { id: 4, kind: "raised", took: 6, leftovers: "threads" }, body: "{}" },
  ]);
});

test("FrameDecoder refuses lengths that no valid frame has", () => {
  const decoder = decoderOf();
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(10, 0);
  lengths.writeUInt32LE(maxBodyBytes + 1, 4);
  expect(() => decoder.push(lengths)).toThrow("Not a frame");
  expect(() => decoderOf().push(Buffer.from("GET / HTTP/1.1\r\n"))).toThrow("Not a frame");
});

test("FrameDecoder refuses a frame that doesn't begin with the required key, as soon as that is known", () => {
  const header: Header = { id: 1, kind: "result", took: 5 };
  const [keyed] = encodeFrame({ key: "secret", ...header } as Header, [Buffer.from("[1]")]);
  const [other] = encodeFrame({ key: "secreT", ...header } as Header, [Buffer.from("[1]")]);
  const [bare] = encodeFrame(header, [Buffer.from("[1]".repeat(100))]);
  const [short] = encodeFrame({} as Header, []);
  const found: Header[] = [];
  const decoder = () => {
    const made = decoderOf((each) => found.push(each));
    made.requireKey("secret");
    return made;
  };
  decoder().push(Buffer.from(keyed ?? []));
  expect(found).toEqual([{ key: "secret", ...header } as Header]);
  for (const frame of [other, bare, short]) {
    expect(() => decoder().push(Buffer.from(frame ?? []))).toThrow("it lacks the key");
    const slow = decoder();
    expect(() => {
      for (const byte of frame?.subarray(0, 26) ?? []) slow.push(Buffer.from([byte]));
    }).toThrow("it lacks the key");
  }
});

test("FrameDecoder is inside a frame until its last byte has arrived", () => {
  const frame = Buffer.concat(encodeFrame({ id: 1, kind: "result", took: 5 }, [Buffer.from("[1]")]));
  const decoder = decoderOf();
  decoder.push(Buffer.from(frame.subarray(0, frame.length - 1)));
  expect(decoder.isInsideFrame).toBe(true);
  decoder.push(Buffer.from(frame.subarray(frame.length - 1)));
  expect(decoder.isInsideFrame).toBe(false);
});

test("FrameDecoder discards a body for which there is no memory, and reads the next frame", () => {
  const memory = new MemoryAccount(200_000);
  const found: unknown[] = [];
  const decoder = new FrameDecoder((header, body, held) => {
    found.push([header.id, body?.length, held !== undefined, memory.usedBytes]);
    return false;
  }, memory);
  const bytes = [70_000, 300_000, 10, 70_000].flatMap((length, id) =>
    encodeFrame({ id, kind: "result", took: 5 }, [Buffer.alloc(length, "x")]),
  );
  const stream = Buffer.concat(bytes);
  for (let at = 0; at < stream.length; at += 65_536) decoder.push(stream.subarray(at, at + 65_536));
  expect(found).toEqual([
    [0, 70_000, true, 70_000],
    [1, undefined, false, 0],
    [2, 10, false, 0],
    [3, 70_000, true, 70_000],
  ]);
  expect(memory.usedBytes).toBe(0);
});

test("FrameDecoder counts a large body before it has arrived, until it is closed", () => {
  const memory = new MemoryAccount(200_000);
  const decoder = new FrameDecoder(() => false, memory);
  const frame = Buffer.concat(encodeFrame({ id: 1, kind: "result", took: 5 }, [Buffer.alloc(100_000, "x")]));
  decoder.push(frame.subarray(0, 1000));
  expect(memory.usedBytes).toBe(100_000);
  decoder.close();
  decoder.close();
  expect(memory.usedBytes).toBe(0);
});

test("FrameDecoder releases a body whose receiver throws, but not one that is taken", () => {
  const memory = new MemoryAccount(200_000);
  const frame = Buffer.concat(encodeFrame({ id: 1, kind: "result", took: 5 }, [Buffer.alloc(100_000, "x")]));
  const throwing = new FrameDecoder(() => {
    throw new Error("not JSON");
  }, memory);
  expect(() => throwing.push(frame)).toThrow("not JSON");
  expect(memory.usedBytes).toBe(0);
  new FrameDecoder(() => true, memory).push(frame);
  expect(memory.usedBytes).toBe(100_000);
});

test("frames.ts and frames.py start with the same comment", async () => {
  const [ours = "", theirs = ""] = await Promise.all(
    ["executor/channel/frames.ts", "programs/worker/frames.py"].map(async (path) => {
      const text = await Bun.file(new URL(`../../../src/${path}`, import.meta.url)).text();
      return text.slice(0, text.indexOf("\n\n")).replaceAll(/^(?:\/\/|#) ?/gm, "");
    }),
  );
  expect(ours).toContain("resolve ");
  expect(ours).toBe(theirs);
});
