// Reads a pipe with pauses. bun reads a pipe until it is empty, in one turn of its event loop: while a worker writes a
// large result, everybody else would wait.

import type { Readable } from "node:stream";

/** What is read before others get their turn. */
const turnBytes = 256 * 1024;

/** Calls `onChunk` with each chunk. */
export function readInTurns(stream: Readable, onChunk: (chunk: Buffer) => void): void {
  let leftBytes = turnBytes;
  stream.on("data", (chunk: Buffer) => {
    leftBytes -= chunk.length; // before onChunk, which may free it
    onChunk(chunk);
    if (leftBytes > 0) return;
    leftBytes = turnBytes;
    stream.pause();
    setImmediate(() => stream.resume());
  });
}
