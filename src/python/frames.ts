// The channel between the server and a worker: frames over a pair of pipes, the same both ways.
//
//     u32 header length | u32 body length | header (JSON, UTF-8) | body (raw bytes)       little-endian
//
// The header says `id`, the number of the call, and `kind`. The body is a request's or a result's own bytes,
// untouched; for `raised` and `rejected` it is the JSON of what messages.ts describes.
//
// server to worker   start     body {module name: source}; `marker`, `orjson`, `models`
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

import type { Header } from "./messages.ts";

/**
 * Larger headers are no frame of ours: a script has written to the channel. The largest of ours tells a function of
 * 8192 characters, each of them two escapes of six bytes.
 */
export const maxHeaderBytes = 128 * 1024;
/** The largest result that a worker may send: 1 GiB. */
export const maxBodyBytes = 1024 * 1024 * 1024;

/** Bodies up to this size go out in one write with their header. */
const joinUpToBytes = 64 * 1024;

/** The pieces to write for one frame: one buffer when the body is small, else the head and the body itself. */
export function encodeFrame(header: Header, body: Uint8Array): [Uint8Array] | [Uint8Array, Uint8Array] {
  const head = Buffer.from(JSON.stringify(header));
  const joined = body.length <= joinUpToBytes;
  const frame = Buffer.allocUnsafe(8 + head.length + (joined ? body.length : 0));
  frame.writeUInt32LE(head.length, 0);
  frame.writeUInt32LE(body.length, 4);
  frame.set(head, 8);
  if (!joined) return [frame, body];
  frame.set(body, 8 + head.length);
  return [frame];
}

/** Cuts a stream of bytes into frames. */
export class FrameDecoder {
  readonly #onFrame: (header: Header, body: Buffer) => void;
  #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes that the next step needs: the lengths, or the whole frame. */
  #wanted = 8;

  constructor(onFrame: (header: Header, body: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** Whether part of a frame has come, and not yet the rest. */
  get isInsideFrame(): boolean {
    return this.#size > 0;
  }

  /** Take the next bytes. Throws when they can't be a frame; nothing after that is to be trusted. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#size >= this.#wanted) {
      const data = this.#join();
      const headBytes = data.readUInt32LE(0);
      const bodyBytes = data.readUInt32LE(4);
      if (headBytes > maxHeaderBytes || bodyBytes > maxBodyBytes) {
        throw new Error(`No frame on the channel: header of ${headBytes} bytes, body of ${bodyBytes} bytes`);
      }
      const end = 8 + headBytes + bodyBytes;
      if (data.length < end) {
        this.#wanted = end;
        return;
      }
      const header = JSON.parse(data.toString("utf8", 8, 8 + headBytes));
      const rest = data.subarray(end);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#size = rest.length;
      this.#wanted = 8;
      this.#onFrame(header, data.subarray(8 + headBytes, end));
    }
  }

  #join(): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && this.#chunks.length === 1) return first;
    const joined = Buffer.concat(this.#chunks, this.#size);
    this.#chunks = [joined];
    return joined;
  }
}
