// Reads the whole body of a request, within the size limit, and decompresses gzip within the same limit. It reads from
// Node's own request, because a Fetch Request would copy the body once more.

import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { errnoOf, TabPyError } from "../errors.ts";

const inflate = promisify(gunzip);

export interface BodyLimits {
  /** Largest body, before and after decompression. */
  readonly maxBytes: number;
  /** Total of all bodies in memory. */
  readonly maxBufferedBytes: number;
  /** How long receiving a body may take. */
  readonly timeoutMs: number;
  readonly isGzipEnabled: boolean;
}

/** A body that counts as memory in use until it is released. */
export interface Body {
  /** In the chunks that were received. */
  readonly pieces: readonly Buffer[];
  /** To be called once the bytes are no longer needed. */
  release(): void;
}

export type ReadBody = (request: IncomingMessage, gone: AbortSignal) => Promise<Body>;

/**
 * A function that reads bodies and limits the memory that all of them use.
 *
 * @throws TabPyError `too-large`; `unsupported-encoding`; `unavailable` when bodies use too much memory already; `timeout`; `bad-request` for
 * invalid gzip and for a body that ends early.
 */
export function createBodyReader(limits: BodyLimits): ReadBody {
  let bufferedBytes = 0;
  return async (request, gone) => {
    let ownBytes = 0;
    const reserve = (bytes: number) => {
      ownBytes += bytes;
      bufferedBytes += bytes;
      if (bufferedBytes > limits.maxBufferedBytes) throw outOfMemory();
    };
    const release = () => {
      bufferedBytes -= ownBytes;
      ownBytes = 0;
    };
    try {
      const isPacked = limits.isGzipEnabled && isGzip(request);
      const raw = await readAll(request, gone, limits, reserve);
      if (!isPacked) return { pieces: raw, release };
      const bytes = await decompress(Buffer.concat(raw), limits.maxBytes);
      reserve(bytes.length);
      return { pieces: [bytes], release };
    } catch (error) {
      release();
      throw error;
    }
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
  reserve: (bytes: number) => void,
): Promise<readonly Buffer[]> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: unknown) => {
      clearTimeout(timer);
      request.off("data", onData);
      request.resume(); // discards the rest, so that the client can read the response
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      try {
        if (size > maxBytes) throw tooLarge(size, maxBytes);
        reserve(chunk.length);
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

function unsupported(encoding: string): TabPyError {
  const message = `Cannot read a body with Content-Encoding "${encoding.slice(0, 200)}": expected gzip or none`;
  return new TabPyError("unsupported-encoding", message, {
    headers: { "Accept-Encoding": "gzip, identity" }, // RFC 9110, 15.5.16
  });
}

/** Decompresses on a thread of Node's pool, and stops at the limit. */
async function decompress(raw: Buffer, maxBytes: number): Promise<Buffer> {
  if (raw.length === 0) return raw;
  try {
    return await inflate(raw, { maxOutputLength: maxBytes });
  } catch (error) {
    if (errnoOf(error) === "ERR_BUFFER_TOO_LARGE") throw tooLarge(maxBytes + 1, maxBytes);
    throw new TabPyError("bad-request", "The body of the request is not gzip, despite its Content-Encoding", {
      cause: error,
    });
  }
}

function tooLarge(size: number, limit: number): TabPyError {
  // Closing the connection saves receiving the rest of the body.
  return new TabPyError("too-large", `Request with size ${size} exceeded limit of ${limit} (bytes).`, {
    info: "Request Entity Too Large",
    headers: { Connection: "close" },
  });
}

function tooSlow(): TabPyError {
  return new TabPyError("timeout", "The body of the request did not arrive in time", {
    headers: { Connection: "close" },
  });
}

function outOfMemory(): TabPyError {
  return new TabPyError("unavailable", "The server is busy", {
    info: "the requests in progress use as much memory as TABPY_MAX_BUFFERED_MB allows",
    headers: { "Retry-After": "1", Connection: "close" },
  });
}
