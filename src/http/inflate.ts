// Decompresses gzip bodies: small ones at once, others piece by piece on a thread of Node's pool, each piece counted in
// the memory account before the next one is made, and only a few bodies at a time.

import { Readable } from "node:stream";
import { createGunzip, gunzipSync } from "node:zlib";
import pLimit from "p-limit";
import { errnoOf, TabPyError } from "../errors.ts";
import { free, type Held } from "../memory-account.ts";
import { outOfMemory, tooLarge } from "./body-errors.ts";

/** What is inflated at once: this takes less than half a millisecond. */
const atOnce = { packedBytes: 16 * 1024, maxOutputLength: 64 * 1024 };
const pieceBytes = 256 * 1024;
/** More would only wait for each other, and hold what they have. */
const maxConcurrent = 2;

/** Inflates `packed`; what it makes is counted in `held`. */
export type Inflate = (packed: readonly Buffer[], held: Held, gone: AbortSignal) => Promise<Buffer[]>;

/**
 * A function that inflates bodies up to `maxBytes`.
 *
 * @throws TabPyError `too-large`; `unavailable` when the memory account is full; `bad-request` for invalid gzip.
 */
export function createInflate(maxBytes: number): Inflate {
  const turns = pLimit(maxConcurrent);
  return async (packed, held, gone) => {
    const bytes = packed.reduce((sum, { length }) => sum + length, 0);
    if (bytes === 0) return [];
    const small = bytes <= atOnce.packedBytes ? inflateAtOnce(Buffer.concat(packed)) : undefined;
    if (small === undefined) return turns(() => inflatePieces(packed, maxBytes, held, gone));
    if (small.length > maxBytes) throw tooLarge(maxBytes + 1, maxBytes);
    if (!held.add(small.length)) throw outOfMemory();
    return [small];
  };
}

/** Undefined when the result is too large for that. */
function inflateAtOnce(packed: Buffer): Buffer | undefined {
  try {
    return gunzipSync(packed, { maxOutputLength: atOnce.maxOutputLength });
  } catch (error) {
    if (errnoOf(error) === "ERR_BUFFER_TOO_LARGE") return undefined;
    throw notGzip(error);
  }
}

async function inflatePieces(
  packed: readonly Buffer[],
  maxBytes: number,
  held: Held,
  gone: AbortSignal,
): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    if (gone.aborted) throw new TabPyError("bad-request", "The client has gone");
    for await (const piece of Readable.from(packed).pipe(createGunzip({ chunkSize: pieceBytes }))) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes > maxBytes) throw tooLarge(maxBytes + 1, maxBytes);
      if (!held.add(piece.length)) throw outOfMemory();
      if (gone.aborted) throw new TabPyError("bad-request", "The client has gone");
    }
    return pieces;
  } catch (error) {
    free(pieces);
    throw error instanceof TabPyError ? error : notGzip(error);
  }
}

function notGzip(cause: unknown): TabPyError {
  return new TabPyError("bad-request", "The body of the request is not gzip, despite its Content-Encoding", {
    cause,
  });
}
