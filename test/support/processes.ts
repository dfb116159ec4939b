// Processes by their environment, read from /proc: orphans are found too.

import { readdirSync, readFileSync } from "node:fs";

/** Ids of the running processes whose environment contains `marker`. */
export function processesOf(marker: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(marker) && !isZombie(pid);
      } catch {
        return false; // ended since
      }
    })
    .map(Number);
}

function isZombie(pid: string): boolean {
  return / Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\)/s, ""));
}

/** The id and the command line of a process, for messages. */
export function describeProcess(pid: number): string {
  try {
    return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").slice(0, 200)}`;
  } catch {
    return `${pid} (has ended)`;
  }
}

/** Send SIGKILL to a process that may have ended. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // has ended
  }
}
