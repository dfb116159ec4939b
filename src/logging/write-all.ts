// Writing to a descriptor that may have no room at times: waits for room without holding up a thread.

import { write } from "node:fs";
import { errnoOf, errorText } from "../errors.ts";

const firstPauseMs = 5;
const longestPauseMs = 100;

/** Write every byte, however long that takes; how many were written, and the system's words when not all. */
export async function writeAll(
  fd: number,
  bytes: Buffer,
): Promise<{ readonly bytes: number; readonly fault: string | undefined }> {
  let at = 0;
  let pauseMs = firstPauseMs;
  while (at < bytes.length) {
    try {
      at += await writeSome(fd, bytes, at);
      pauseMs = firstPauseMs;
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN") return { bytes: at, fault: errorText(error) };
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      pauseMs = Math.min(longestPauseMs, pauseMs * 2);
    }
  }
  return { bytes: at, fault: undefined };
}

function writeSome(fd: number, bytes: Buffer, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, at, bytes.length - at, null, (error, written) =>
      error ? reject(error) : resolve(written),
    );
  });
}
