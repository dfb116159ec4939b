// The ways to end a worker process. On POSIX its reaper (programs/worker/reaper.py) kills everything below it on
// SIGTERM; a reaper that doesn't is killed itself, together with the worker's process group. worker.ts decides when.

import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

/** How often, and how many times, processes with a mark are looked for. */
const lookMs = 100;
const maxLooks = 20;

/** Ask the process to end, with everything that it started. Doesn't wait. */
export function requestEnd(child: ChildProcess): void {
  if (process.platform === "win32") endTree(child.pid);
  else {
    child.kill("SIGTERM");
    child.kill("SIGCONT"); // a script may have stopped it
  }
}

/** Kill what is left: the process itself, and the process group of the worker below it. */
export function forceEnd(child: ChildProcess | undefined, workerPid: number | undefined): void {
  if (process.platform === "win32") {
    endTree(child?.pid);
    return;
  }
  child?.kill("SIGKILL");
  if (workerPid === undefined) return;
  try {
    process.kill(-workerPid, "SIGKILL");
  } catch {
    // ESRCH: nothing is left
  }
}

/**
 * Kill every process whose environment has `mark`, even outside the process group (Linux): for when a script has
 * killed the reaper. Looks until none is found, and at least twice: the environment of a process that has just started
 * its program can't be read yet, and one that is found may have forked.
 */
export async function endMarked(mark: string): Promise<void> {
  if (process.platform !== "linux") return;
  for (let look = 1; look <= maxLooks; look++) {
    const found = await killMarked(mark);
    if (found === 0 && look > 1) return;
    await setTimeout(lookMs);
  }
}

/** Kill every process that has the mark now; returns how many were found. */
async function killMarked(mark: string): Promise<number> {
  let found = 0;
  const names = await readdir("/proc").catch(() => []);
  for (const name of names.filter((entry) => /^\d+$/.test(entry))) {
    const environment = await readFile(`/proc/${name}/environ`, "latin1").catch(() => "");
    if (!environment.includes(mark)) continue;
    found++;
    try {
      process.kill(Number(name), "SIGKILL");
    } catch {
      // ESRCH: it has ended meanwhile
    }
  }
  return found;
}

/** Windows has no process groups; taskkill ends the tree. */
function endTree(pid: number | undefined): void {
  if (pid === undefined) return;
  spawn("taskkill", ["/PID", String(pid), "/T", "/F"], { stdio: "ignore", windowsHide: true }).on(
    "error",
    () => {},
  );
}
