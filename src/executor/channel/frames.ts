// The channel between the server and a worker: frames over a pair of pipes, the same both ways.
//
//     u32 header length | u32 body length | header (JSON, UTF-8) | body (raw bytes)       little-endian
//
// The header says `id`, the number of the call, and `kind`. The body is a request's or a result's own bytes,
// untouched; for `raised` and `rejected` it is the JSON of what messages.ts describes.
//
// server to worker   start     body {module name: source}; `marker`, `orjson`, `keepMemory`, `models`
//                    evaluate  body of POST /evaluate; `revision`; maybe `notAfter`
//                    query     body of POST /query; maybe `model`, `uuid`; maybe `notAfter`
//                    load      see whether `model` loads
//                    resolved  the answer to `resolve`, JSON
// worker to server   hello     which Python this is: `version`, `implementation`, `executable`
//                    ready     the worker waits for calls: `pid`, `clock` (monotonic, microseconds)
//                    result    body is the JSON of the answer
//                    raised    the script raised, or didn't compile, or its result can't be written as JSON
//                    rejected  the request was not well formed
//                    returned  the call was not begun: its `notAfter` had passed
//                    resolve   which archive serves the name in the body? `id` is the call that asks
// A call may be sent while another runs. It then carries `notAfter`, microseconds of the monotonic clock that all
// processes of a machine share: it begins before that instant and after the answer of the call before it was
// written, or never. So the server knows, without asking, when it may give the call to another worker.
// A reply says how many microseconds the call `took`, and may carry `leftovers`: processes or threads that the call
// left running. No call begins after it. The result of a query carries `etag`.

import type { Writable } from "node:stream";
import type { Header } from "./messages.ts";

/**
 * Larger headers are no frame of ours: a script has written to the channel. The largest of ours tells a function of
 * 8192 characters, each of them two escapes of six bytes.
 */
export const maxHeaderBytes = 128 * 1024;
/** The largest result that a worker may send: 1 GiB. */
export const maxBodyBytes = 1024 * 1024 * 1024;

/** Bodies up to this size go out in one write with their header, larger ones in parts of it. */
const partBytes = 64 * 1024;

const nothing = Buffer.alloc(0);

/** Writes frames to a stream, no faster than it takes them: it would copy what it has to keep. */
export class FrameWriter {
  readonly #stream: Writable;
  readonly #waiting: Uint8Array[] = [];
  #isFull = false;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  write(header: Header, body: readonly Uint8Array[]): void {
    for (const piece of encodeFrame(header, body)) {
      if (this.#isFull) this.#waiting.push(piece);
      else this.#put(piece);
    }
  }

  #put(piece: Uint8Array): void {
    if (this.#stream.write(piece)) return;
    this.#isFull = true;
    this.#stream.once("drain", () => this.#drained());
  }

  #drained(): void {
    this.#isFull = false;
    while (!this.#isFull) {
      const piece = this.#waiting.shift();
      if (piece === undefined) return;
      this.#put(piece);
    }
  }
}

/** The pieces to write for one frame: one buffer when the body is small, else the head and the body in parts. */
export function encodeFrame(header: Header, body: readonly Uint8Array[]): readonly Uint8Array[] {
  const head = Buffer.from(JSON.stringify(header));
  const bodyBytes = byteLength(body);
  const joined = bodyBytes <= partBytes;
  const frame = Buffer.allocUnsafe(8 + head.length + (joined ? bodyBytes : 0));
  frame.writeUInt32LE(head.length, 0);
  frame.writeUInt32LE(bodyBytes, 4);
  frame.set(head, 8);
  if (!joined) return [frame, ...body.flatMap(cut)];
  let at = 8 + head.length;
  for (const piece of body) {
    frame.set(piece, at);
    at += piece.length;
  }
  return [frame];
}

function cut(piece: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < piece.length; at += partBytes) parts.push(piece.subarray(at, at + partBytes));
  return parts;
}

/** Length of what is in pieces. */
export function byteLength(pieces: readonly Uint8Array[]): number {
  let sum = 0;
  for (const piece of pieces) sum += piece.length;
  return sum;
}

/** A frame of which part has come. */
interface Opened {
  readonly header: Header;
  readonly body: Buffer;
  filled: number;
}

/** Cuts a stream of bytes into frames. */
export class FrameDecoder {
  readonly #onFrame: (header: Header, body: Buffer) => void;
  /** What has come of the lengths and the header. */
  #begun: Buffer = nothing;
  #opened: Opened | undefined;

  constructor(onFrame: (header: Header, body: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** Whether part of a frame has come, and not yet the rest. */
  get isInsideFrame(): boolean {
    return this.#opened !== undefined || this.#begun.length > 0;
  }

  /** Take the next bytes. Throws when they can't be a frame; nothing after that is to be trusted. */
  push(chunk: Buffer): void {
    for (let rest = chunk; rest.length > 0; ) {
      rest = this.#opened === undefined ? this.#open(rest) : this.#fill(this.#opened, rest);
    }
  }

  /** Take lengths and header, and the body too when it is there; what is left of `chunk`. */
  #open(chunk: Buffer): Buffer {
    const data = this.#begun.length === 0 ? chunk : Buffer.concat([this.#begun, chunk]);
    this.#begun = data;
    if (data.length < 8) return nothing;
    const headBytes = data.readUInt32LE(0);
    const bodyBytes = data.readUInt32LE(4);
    if (headBytes > maxHeaderBytes || bodyBytes > maxBodyBytes) {
      throw new Error(`No frame on the channel: header of ${headBytes} bytes, body of ${bodyBytes} bytes`);
    }
    const bodyStart = 8 + headBytes;
    if (data.length < bodyStart) return nothing;
    this.#begun = nothing;
    const header = JSON.parse(data.toString("utf8", 8, bodyStart));
    const end = bodyStart + bodyBytes;
    if (data.length < end) {
      this.#opened = { header, body: Buffer.allocUnsafe(bodyBytes), filled: 0 };
      return data.subarray(bodyStart);
    }
    this.#onFrame(header, data.subarray(bodyStart, end));
    return data.subarray(end);
  }

  /** Copy what has come to its place in the body; what is left of `chunk`. */
  #fill(opened: Opened, chunk: Buffer): Buffer {
    const { header, body, filled } = opened;
    const piece = chunk.subarray(0, body.length - filled);
    body.set(piece, filled);
    opened.filled += piece.length;
    if (opened.filled === body.length) {
      this.#opened = undefined;
      this.#onFrame(header, body);
    }
    return chunk.subarray(piece.length);
  }
}
