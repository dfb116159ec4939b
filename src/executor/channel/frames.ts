// The channel between the server and a worker: frames over a pair of pipes, the same in both directions.
//
//     u32 header length | u32 body length | header (JSON, UTF-8) | body (raw bytes)       little-endian
//
// The header has `id`, the number of the call or 0, and `kind`. The body of a request or result is the client's or the
// script's own bytes. How to add a message: messages.ts. The headers of the worker, after `hello`, begin with `key`, which
// `start` tells it: bytes that a script writes to the channel lack it, and the server ends such a worker.
//
// server to worker   start     the program: `key`, `marker`, `orjson`, `keepMemory`, `models`, `url`; body {module: source}
//                    evaluate  body of POST /evaluate: `callId`, `revision`; maybe `function`, `notAfter`
//                    query     body of POST /query: `callId`, `revision`; maybe `model`, `notAfter`
//                    load      check that `model` loads: `callId`, `revision`; maybe `notAfter`
//                    resolved  reply to `resolve`; body JSON (Resolution)
// worker to server   hello     which Python this is: `version`, `implementation`, `executable`
//                    ready     waits for calls: `pid`, `clock` (monotonic, microseconds)
//                    resolve   which archive serves the name in the body? `id` is the call that asks
//                    result    reply: `took`; maybe `leftovers`, `function`, `etag`; body JSON of the result
//                    raised    reply: the script raised, doesn't compile, or its result is not JSON; body JSON (Raised)
//                    rejected  reply: the request is malformed; body JSON (Rejected)
//                    returned  reply: the call was not started, because its `notAfter` had passed
//                    modules   files that it has imported: `own`; body JSON (list of paths)
//
// A call may be sent while another one runs. It then carries `notAfter`, its lease: microseconds of the monotonic clock
// that all processes of a machine share. The worker starts it before that instant, after it has written the previous
// reply, or never. So the server knows, without asking, when it may give the call to another worker:
//
//     server     send call 1   send call 2 (notAfter = t)              t: call 2 goes to another worker
//     worker     |---- runs call 1 ----------------------------------------------------|  call 2: `returned`
//
// `took` is in microseconds. `leftovers` is what the call left, processes or threads for example; the worker starts no
// call after such a reply.

import type { Writable } from "node:stream";
import { free, type Held, type MemoryAccount, smallBytes } from "../../memory-account.ts";
import { byteLength } from "../executor.ts";
import type { Header } from "./messages.ts";

/**
 * A larger header isn't from the worker: a script has written to the channel. The largest one contains the text of a
 * function: 8192 characters, each of them up to two escapes of six bytes.
 */
const maxHeaderBytes = 128 * 1024;
/** The largest result that a worker may send: 1 GiB. */
export const maxBodyBytes = 1024 * 1024 * 1024;

/** Bodies up to this size are written together with their header, larger ones in parts of this size. */
const partBytes = 64 * 1024;

/** After how long without a further byte nobody waits for the rest of a frame. */
const partTimeoutMs = 1000;

const nothing = Buffer.alloc(0);

/** Writes frames to a stream and waits while its buffer is full: bun copies what it buffers. */
export class FrameWriter {
  readonly #stream: Writable;
  readonly #waiting: Uint8Array[] = [];
  #isFull = false;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  /** Whether what was written waits for the other side to read. */
  get isFull(): boolean {
    return this.#isFull;
  }

  write(header: Header, body: readonly Uint8Array[]): void {
    for (const piece of encodeFrame(header, body)) {
      if (this.#isFull) this.#waiting.push(piece);
      else this.#put(piece);
    }
  }

  /** Write nothing more: the memory of the bodies may be used again. */
  close(): void {
    this.#waiting.length = 0;
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

/** The first bytes of a header with this key. */
function keyedStart(key: string): string {
  return `{"key":"${key}",`;
}

/**
 * Takes a frame. The body is undefined when there was no memory for it. `held` counts a large one in the memory account;
 * true tells that the receiver releases it.
 */
export type OnFrame = (header: Header, body: Buffer | undefined, held: Held | undefined) => boolean;

/** A frame whose body has arrived in part. */
interface Opened {
  readonly header: Header;
  readonly bodyBytes: number;
  /** Undefined: what arrives is discarded, because there is no memory for it. */
  readonly body: Buffer | undefined;
  readonly held: Held | undefined;
  filled: number;
}

/** Cuts a stream of bytes into frames. */
export class FrameDecoder {
  readonly #onFrame: OnFrame;
  readonly #memory: MemoryAccount;
  /** The part of the lengths and the header that has arrived. */
  #started: Buffer = nothing;
  #opened: Opened | undefined;
  /** What each header begins with. */
  #start: Buffer = nothing;
  /** When bytes of an incomplete frame have last arrived, by performance.now(). */
  #partAtMs = 0;

  /** @param memory where bodies count, unless they are small. */
  constructor(onFrame: OnFrame, memory: MemoryAccount) {
    this.#onFrame = onFrame;
    this.#memory = memory;
  }

  /** Whether a frame has arrived in part. */
  get isInsideFrame(): boolean {
    return this.#opened !== undefined || this.#started.length > 0;
  }

  /** Whether a frame has arrived in part, with its key, and more of it not long ago. */
  get isFrameComing(): boolean {
    const isKeyed = this.#opened !== undefined || this.#started.length >= 8 + this.#start.length;
    return isKeyed && performance.now() - this.#partAtMs < partTimeoutMs;
  }

  /** From now on accept only frames whose header begins with this key. */
  requireKey(key: string): void {
    this.#start = Buffer.from(keyedStart(key));
  }

  /** Discard a frame that has arrived in part. */
  close(): void {
    const opened = this.#opened;
    this.#opened = undefined;
    if (opened?.body !== undefined) free([opened.body]);
    opened?.held?.release();
  }

  /** Take the next bytes. Throws when they can't be a frame; the stream can't be read after that. */
  push(chunk: Buffer): void {
    for (let rest = chunk; rest.length > 0; ) {
      rest = this.#opened === undefined ? this.#open(rest) : this.#fill(this.#opened, rest);
    }
    if (this.isInsideFrame) this.#partAtMs = performance.now();
  }

  /** Read the lengths and the header, and the body when it is complete; returns the rest of `chunk`. */
  #open(chunk: Buffer): Buffer {
    const data = this.#started.length === 0 ? chunk : Buffer.concat([this.#started, chunk]);
    this.#started = data;
    if (data.length < 8) return nothing;
    const headBytes = data.readUInt32LE(0);
    const bodyBytes = data.readUInt32LE(4);
    if (headBytes > maxHeaderBytes || bodyBytes > maxBodyBytes) {
      throw new Error(`Not a frame: header of ${headBytes} bytes, body of ${bodyBytes} bytes`);
    }
    const bodyStart = 8 + headBytes;
    const start = this.#start;
    // As soon as they have arrived: the rest of a false frame may never come.
    if (
      headBytes < start.length ||
      (data.length >= 8 + start.length && data.compare(start, 0, start.length, 8, 8 + start.length) !== 0)
    )
      throw new Error("Not a frame of the worker: it lacks the key");
    if (data.length < bodyStart) return nothing;
    this.#started = nothing;
    const header = JSON.parse(data.toString("utf8", 8, bodyStart));
    const end = bodyStart + bodyBytes;
    const held = bodyBytes > smallBytes ? this.#memory.hold(bodyBytes) : undefined;
    const isHeld = held !== undefined || bodyBytes <= smallBytes;
    if (data.length < end) {
      const body = isHeld ? Buffer.allocUnsafe(bodyBytes) : undefined;
      this.#opened = { header, bodyBytes, body, held, filled: 0 };
      return data.subarray(bodyStart);
    }
    this.#pass(header, isHeld ? data.subarray(bodyStart, end) : undefined, held);
    return data.subarray(end);
  }

  /** Copy what has arrived to its place in the body; returns the rest of `chunk`. */
  #fill(opened: Opened, chunk: Buffer): Buffer {
    const { header, bodyBytes, body, held, filled } = opened;
    const piece = chunk.subarray(0, bodyBytes - filled);
    const pieceBytes = piece.length;
    const rest = chunk.subarray(pieceBytes);
    body?.set(piece, filled);
    opened.filled += pieceBytes;
    if (rest.length === 0) free([chunk]); // or it would be held until the next garbage collection, uncounted
    if (opened.filled === bodyBytes) {
      this.#opened = undefined;
      this.#pass(header, body, held);
    }
    return rest;
  }

  #pass(header: Header, body: Buffer | undefined, held: Held | undefined): void {
    let isTaken = false;
    try {
      isTaken = this.#onFrame(header, body, held);
    } finally {
      if (!isTaken) held?.release();
    }
  }
}
