// Sends large results: in pieces, each written when the client has taken the one before, because bun copies what a socket
// does not take. A client that takes nothing is disconnected, sooner when its memory is needed (memory-account.ts).

import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { constants, createGzip } from "node:zlib";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context } from "hono";
import { free, Held, type MemoryAccount } from "../memory-account.ts";
import { isGzipAccepted } from "./gzip.ts";
import type { AppEnv } from "./types.ts";

/** Written in one turn of the event loop. */
const pieceBytes = 64 * 1024;
/** Made in one step of the compression. */
const packedBytes = 256 * 1024;
/** How long a client may take nothing while its memory is needed. */
const patienceMs = 3000;

/** Sends `body`, which is counted in `held`: releases it, whatever happens. */
export type SendLarge = (
  c: Context<AppEnv>,
  body: Buffer,
  headers: Readonly<Record<string, string>>,
  held: Held,
) => Promise<Response>;

/** @param timeoutMs how long a client may take nothing. */
export function createSendLarge(memory: MemoryAccount, timeoutMs: number, isGzipEnabled: boolean): SendLarge {
  const readers = new Set<Reader>();
  memory.makeRoom = () => dropSlowest(readers);
  return async (c, body, headers, held) => {
    const { incoming, outgoing } = c.env;
    let answer: Pieces = { pieces: cut(body), whole: [body], held };
    const more: Record<string, string> = {};
    try {
      if (isGzipEnabled && isGzipAccepted(incoming)) {
        answer = { ...answer, whole: [] }; // not freed: after an error a thread may still read the body
        const packed = await pack(answer.pieces, memory, c.get("gone"));
        if (packed !== undefined) {
          release({ ...answer, whole: [body] });
          answer = packed;
          more["Content-Encoding"] = "gzip";
        }
      }
      const bytes = answer.pieces.reduce((sum, { length }) => sum + length, 0);
      outgoing.writeHead(200, { ...headers, ...more, "Content-Length": bytes });
      const reader = new Reader(outgoing, timeoutMs, () => release(answer));
      readers.add(reader);
      await reader.send(answer.pieces).finally(() => readers.delete(reader));
    } finally {
      release(answer);
    }
    return RESPONSE_ALREADY_SENT;
  };
}

interface Pieces {
  readonly pieces: readonly Buffer[];
  /** The buffers in which the pieces lie. */
  readonly whole: readonly Buffer[];
  readonly held: Held;
}

function release({ whole, held }: Pieces): void {
  free(whole);
  held.release();
}

function cut(body: Buffer): Buffer[] {
  const count = Math.ceil(body.length / pieceBytes);
  return Array.from({ length: count }, (_, at) => body.subarray(at * pieceBytes, (at + 1) * pieceBytes));
}

/** Compress at zlib's fastest level, on a thread of Node's pool. Undefined when there is no memory for the result. */
async function pack(
  body: readonly Buffer[],
  memory: MemoryAccount,
  gone: AbortSignal,
): Promise<Pieces | undefined> {
  const pieces: Buffer[] = [];
  const packed: Pieces = { pieces, whole: pieces, held: new Held(memory) };
  const gzip = createGzip({ level: constants.Z_BEST_SPEED, chunkSize: packedBytes });
  try {
    for await (const piece of Readable.from(body).pipe(gzip)) {
      pieces.push(piece);
      if (gone.aborted || !packed.held.add(piece.length)) {
        release(packed);
        return undefined;
      }
    }
    return packed;
  } catch (error) {
    release(packed);
    throw error;
  }
}

/** A client that takes a large answer. */
class Reader {
  /** When it has last taken a piece, by performance.now(). */
  tookAtMs = performance.now();
  readonly #outgoing: ServerResponse;
  readonly #timeoutMs: number;
  readonly #release: () => void;
  #isGone = false;
  #wake: () => void = () => {};

  constructor(outgoing: ServerResponse, timeoutMs: number, release: () => void) {
    this.#outgoing = outgoing;
    this.#timeoutMs = timeoutMs;
    this.#release = release;
  }

  /** Resolves when the client has taken everything, or is gone. */
  async send(pieces: readonly Buffer[]): Promise<void> {
    const outgoing = this.#outgoing;
    outgoing.on("drain", () => this.#wake());
    outgoing.on("close", () => {
      this.#isGone = true;
      this.#wake();
    });
    const timer = setTimeout(() => this.drop(), this.#timeoutMs);
    try {
      for (const piece of pieces) {
        if (this.#isGone || outgoing.destroyed) return;
        const isTaken = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        if (!outgoing.write(piece)) await isTaken;
        this.tookAtMs = performance.now();
        timer.refresh();
        await turn(); // others come between: a fast client would take everything in this turn of the event loop
      }
      if (!this.#isGone) outgoing.end();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Disconnect the client; what it waits for is released at once. */
  drop(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#release();
    this.#outgoing.socket?.destroy();
    this.#wake();
  }
}

function dropSlowest(readers: ReadonlySet<Reader>): void {
  let slowest: Reader | undefined;
  for (const reader of readers)
    if (slowest === undefined || reader.tookAtMs < slowest.tookAtMs) slowest = reader;
  if (slowest !== undefined && performance.now() - slowest.tookAtMs >= patienceMs) slowest.drop();
}
