// What a server's process holds, read from /proc: for checks that nothing is left of what was done to it.

import { readdirSync, readFileSync } from "node:fs";
import type { TestServer } from "./server.ts";

export interface Held {
  /** Resident memory. */
  readonly bytes: number;
  /** Open descriptors. */
  readonly files: number;
  readonly threads: number;
  /** Processes that it has started. */
  readonly processes: number;
}

export function heldBy(server: TestServer): Held {
  const count = (folder: string) => readdirSync(`/proc/${server.pid}/${folder}`).length;
  const [, kilobytes] =
    /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, "latin1")) ?? [];
  return {
    bytes: Number(kilobytes) * 1024,
    files: count("fd"),
    threads: count("task"),
    processes: server.children().length,
  };
}
