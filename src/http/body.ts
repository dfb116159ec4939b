// Reads the whole body of a request, within the size limit, and decompresses gzip (inflate.ts) within the same limit. It
// reads from Node's own request, because a Fetch Request would copy the body once more.

import type { IncomingMessage } from "node:http";
import { TabPyError } from "../errors.ts";
import { free, Held, type MemoryAccount } from "../memory-account.ts";
import { outOfMemory, tooLarge, tooSlow, unsupported } from "./body-errors.ts";
import { createInflate } from "./inflate.ts";

/** What a chunk takes besides its bytes: a body may come in very many. */
const chunkBytes = 256;

export interface BodyLimits {
  /** Largest body, before and after decompression. */
  readonly maxBytes: number;
  /** How long receiving a body may take. */
  readonly timeoutMs: number;
  readonly isGzipEnabled: boolean;
}

/** A body that counts as memory in use until it is released. */
export interface Body {
  /** In the chunks that were received. */
  readonly pieces: readonly Buffer[];
  /** To be called once nobody reads the bytes any more: their memory is used again. */
  release(): void;
}

export type ReadBody = (request: IncomingMessage, gone: AbortSignal) => Promise<Body>;

/**
 * A function that reads bodies, which count in `memory`.
 *
 * @throws TabPyError `too-large`; `unsupported-encoding`; `unavailable` when too much memory is used already; `timeout`;
 * `bad-request` for invalid gzip and for a body that ends early.
 */
export function createBodyReader(limits: BodyLimits, memory: MemoryAccount): ReadBody {
  const inflate = createInflate(limits.maxBytes);
  return async (request, gone) => {
    const isPacked = limits.isGzipEnabled && isGzip(request);
    const received = new Held(memory);
    const pieces = await readAll(request, gone, limits, received);
    if (!isPacked) return bodyOf(pieces, received);
    const inflated = new Held(memory);
    try {
      return bodyOf(await inflate(pieces, inflated, gone), inflated);
    } catch (error) {
      inflated.release();
      throw error;
    } finally {
      received.release(); // not freed: after an error a thread may still read the pieces
    }
  };
}

function bodyOf(pieces: readonly Buffer[], held: Held): Body {
  return {
    pieces,
    release: () => {
      free(pieces);
      held.release();
    },
  };
}

/** Refuse a body by its Content-Length, before any of it is read: for every URL, even those that read no body. */
export function checkAnnouncedSize(request: IncomingMessage, maxBytes: number): void {
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > maxBytes) throw tooLarge(announced, maxBytes);
}

function readAll(
  request: IncomingMessage,
  gone: AbortSignal,
  { maxBytes, timeoutMs }: BodyLimits,
  held: Held,
): Promise<readonly Buffer[]> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let isComplete = false;
    const fail = (error: unknown) => {
      if (isComplete) return; // it may be in use
      clearTimeout(timer);
      request.off("data", onData);
      request.resume(); // discards the rest, so that the client can read the response
      free(chunks);
      held.release();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > maxBytes) fail(tooLarge(size, maxBytes));
      else if (!held.add(chunk.length + chunkBytes)) fail(outOfMemory());
    };
    const broken = () => fail(new TabPyError("bad-request", "The body of the request ended early"));
    const timer = setTimeout(() => fail(tooSlow()), timeoutMs);
    request.on("data", onData);
    request.on("end", () => {
      clearTimeout(timer);
      isComplete = true;
      resolve(chunks);
    });
    request.on("error", broken);
    if (gone.aborted)
      broken(); // before the request had its turn
    else gone.addEventListener("abort", broken, { once: true });
  });
}

/** Throws TabPyError `unsupported-encoding` for an encoding that is neither gzip nor none. */
function isGzip(request: IncomingMessage): boolean {
  const encoding = request.headers["content-encoding"]?.trim().toLowerCase();
  switch (encoding) {
    case undefined:
    case "":
    case "identity":
      return false;
    case "gzip":
    case "x-gzip":
      return true;
    default:
      throw unsupported(encoding);
  }
}
