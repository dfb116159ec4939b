// Standard output and standard error as targets. A terminal, a pipe or a socket whose other end has stopped reading
// must not hold up a thread: the few that there are also unpack gzip and check passwords. So writes go to a
// descriptor that doesn't block (write-all.ts comes again when there is no room).

import { constants, fstatSync, openSync, type Stats } from "node:fs";
import { isatty } from "node:tty";
import type { Target } from "./line-queue.ts";
import { writeAll } from "./write-all.ts";

/** A target that writes to descriptor 1 or 2, or to another one that doesn't block. Nothing closes it. */
export function createDescriptorTarget(fd: number, name: string): Target {
  const writable = withoutBlocking(fd);
  return {
    name,
    write: async ({ bytes }, from) => ({ ...(await writeAll(writable, bytes.subarray(from))), lost: 0 }),
    reopen: async () => false,
    close: async () => {},
  };
}

/**
 * A descriptor for the same place that doesn't block. Pipes and terminals are opened anew, so that other processes
 * that have them keep theirs as it is; a socket can't be, and is switched over by the runtime's own stream.
 */
function withoutBlocking(fd: number): number {
  let stats: Stats;
  try {
    stats = fstatSync(fd);
  } catch {
    return fd; // closed: each write says so
  }
  if (stats.isFIFO() || isatty(fd)) {
    try {
      return openSync(`/dev/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch {
      // another user's terminal, or a system without /dev/fd
    }
  }
  // To touch these streams is what makes their descriptors stop blocking.
  if (stats.isFIFO() || stats.isSocket()) void (fd === 2 ? process.stderr : process.stdout);
  return fd;
}
