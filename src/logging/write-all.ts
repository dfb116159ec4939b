// Writing to a descriptor that may have no room at times: waits for room without holding up a thread.

import { write } from "node:fs";
import { errnoOf } from "../errors.ts";

const firstPauseMs = 5;
const longestPauseMs = 100;

/**
 * Write every byte, however long that takes. `onWritten` gets the count of each part, so that after an error it is
 * known how far it came. Rejects with the system's error.
 */
export async function writeAll(
  fd: number,
  bytes: Buffer,
  onWritten: (count: number) => void = () => {},
): Promise<void> {
  let at = 0;
  let pauseMs = firstPauseMs;
  while (at < bytes.length) {
    try {
      const count = await writeSome(fd, bytes, at);
      at += count;
      onWritten(count);
      pauseMs = firstPauseMs;
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN") throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      pauseMs = Math.min(longestPauseMs, pauseMs * 2);
    }
  }
}

function writeSome(fd: number, bytes: Buffer, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, at, bytes.length - at, null, (error, written) =>
      error ? reject(error) : resolve(written),
    );
  });
}
