// The body of a request: read whole, within the size limit, gzip undone within the same limit. Read from Node's
// own request, because a Fetch Request would copy it once more.

import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { errnoOf, TabPyError } from "../errors.ts";

const inflate = promisify(gunzip);

export interface BodyLimits {
  /** Largest body, also after gzip is undone. */
  readonly maxBytes: number;
  /** All bodies that are held at one time, together. */
  readonly maxBufferedBytes: number;
  /** How long a body may take to come. */
  readonly timeoutMs: number;
  readonly isGzipEnabled: boolean;
}

/** A body and the end of its time in memory. */
export interface Body {
  /** In the pieces that came. */
  readonly pieces: readonly Buffer[];
  /** To be called when the bytes are not needed any more. */
  release(): void;
}

export type ReadBody = (request: IncomingMessage, gone: AbortSignal) => Promise<Body>;

/**
 * Reads bodies and counts what they hold together.
 *
 * @throws TabPyError `too-large`, `unavailable` when too much is held already, `bad-request` for broken gzip and
 * for a body that ends early.
 */
export function createBodyReader(limits: BodyLimits): ReadBody {
  let bufferedBytes = 0;
  return async (request, gone) => {
    let heldBytes = 0;
    const hold = (bytes: number) => {
      heldBytes += bytes;
      bufferedBytes += bytes;
      if (bufferedBytes > limits.maxBufferedBytes) throw tooMuchHeld();
    };
    const release = () => {
      bufferedBytes -= heldBytes;
      heldBytes = 0;
    };
    try {
      const raw = await readAll(request, gone, limits, hold);
      if (!limits.isGzipEnabled || !isGzip(request)) return { pieces: raw, release };
      const bytes = await unpack(Buffer.concat(raw), limits.maxBytes);
      hold(bytes.length);
      return { pieces: [bytes], release };
    } catch (error) {
      release();
      throw error;
    }
  };
}

/** Refuse a body by its Content-Length, before a byte of it is read: for every URL, also those that read none. */
export function checkAnnouncedSize(request: IncomingMessage, maxBytes: number): void {
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > maxBytes) throw tooLarge(announced, maxBytes);
}

function readAll(
  request: IncomingMessage,
  gone: AbortSignal,
  { maxBytes, timeoutMs }: BodyLimits,
  hold: (bytes: number) => void,
): Promise<readonly Buffer[]> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: unknown) => {
      clearTimeout(timer);
      request.off("data", onData);
      request.resume(); // what still comes is thrown away, so that the answer can be read
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      try {
        if (size > maxBytes) throw tooLarge(size, maxBytes);
        hold(chunk.length);
      } catch (error) {
        fail(error);
      }
    };
    const broken = () => fail(new TabPyError("bad-request", "The body of the request ended early"));
    const timer = setTimeout(() => fail(tooSlow()), timeoutMs);
    request.on("data", onData);
    request.on("end", () => {
      clearTimeout(timer);
      resolve(chunks);
    });
    request.on("error", broken);
    gone.addEventListener("abort", broken, { once: true });
  });
}

function isGzip(request: IncomingMessage): boolean {
  const encoding = request.headers["content-encoding"]?.trim().toLowerCase();
  return encoding === "gzip" || encoding === "x-gzip";
}

/** zlib works on a thread of its own and stops at the limit. */
async function unpack(raw: Buffer, maxBytes: number): Promise<Buffer> {
  if (raw.length === 0) return raw;
  try {
    return await inflate(raw, { maxOutputLength: maxBytes });
  } catch (error) {
    if (errnoOf(error) === "ERR_BUFFER_TOO_LARGE") throw tooLarge(maxBytes + 1, maxBytes);
    throw new TabPyError("bad-request", "The body of the request is not gzip, as its Content-Encoding says", {
      cause: error,
    });
  }
}

function tooLarge(size: number, limit: number): TabPyError {
  // The rest of the body is not worth receiving: the connection ends with the answer.
  return new TabPyError("too-large", `Request with size ${size} exceeded limit of ${limit} (bytes).`, {
    info: "Request Entity Too Large",
    headers: { Connection: "close" },
  });
}

function tooSlow(): TabPyError {
  return new TabPyError("timeout", "The body of the request did not come in time", {
    headers: { Connection: "close" },
  });
}

function tooMuchHeld(): TabPyError {
  return new TabPyError("unavailable", "The server is busy", {
    info: "the requests that are being answered hold as much memory as TABPY_MAX_BUFFERED_MB allows",
    headers: { "Retry-After": "1", Connection: "close" },
  });
}
