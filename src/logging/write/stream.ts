// StreamHandler's target: standard output or standard error, in colours on a terminal.
//
// The runtime's write() to a pipe, terminal or socket that nobody reads blocks a thread of its pool. The pool has
// only as many threads as there are cores, and they also decompress bodies and verify passwords. So lines go to a
// descriptor in non-blocking mode, and writeAll (file.ts) tries again while there is no room.

import { constants, fstatSync, openSync, type Stats } from "node:fs";
import { isatty } from "node:tty";
import type { Level } from "../levels.ts";
import { writeAll } from "./file.ts";
import type { Target } from "./line-buffer.ts";

/** A target that writes to descriptor 1 or 2, or to another one that doesn't block. Nothing closes it. */
export function createStreamTarget(fd: number, name: string): Target {
  const writable = withoutBlocking(fd);
  return {
    name,
    write: async ({ bytes }, from) => ({ ...(await writeAll(writable, bytes.subarray(from))), lost: 0 }),
    reopen: async () => false,
    close: async () => {},
  };
}

/**
 * A non-blocking descriptor for the same file. The mode belongs to the open file, which other processes may share, so
 * pipes and terminals are opened again by /dev/fd. Sockets can't be; the runtime's own stream changes their mode.
 */
function withoutBlocking(fd: number): number {
  let stats: Stats;
  try {
    stats = fstatSync(fd);
  } catch {
    return fd; // closed: each write reports it
  }
  if (stats.isFIFO() || isatty(fd)) {
    try {
      return openSync(`/dev/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch {
      // another user's terminal, or a system without /dev/fd
    }
  }
  // node:fs has no fcntl(): reading these getters is the only way to make the runtime set O_NONBLOCK.
  if (stats.isFIFO() || stats.isSocket()) void (fd === 2 ? process.stderr : process.stdout);
  return fd;
}

const reset = "\x1b[0m";
// Whole lines by level. consola's reporters can't be used here: they write lines of their own form.
const colours: Readonly<Record<Level, string>> = {
  DEBUG: "\x1b[2m",
  INFO: "",
  WARNING: "\x1b[33m",
  ERROR: "\x1b[31m",
  CRITICAL: "\x1b[1;31m",
};

export function colour(level: Level, line: string): string {
  const start = colours[level];
  return start === "" ? line : `${start}${line}${reset}`;
}

/** Whether a terminal gets colours. https://no-color.org: NO_COLOR with any value but an empty one turns them off. */
export function wantsColours(env: Readonly<Record<string, string | undefined>>): boolean {
  return !env.NO_COLOR && env.TERM !== "dumb";
}
