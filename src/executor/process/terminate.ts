// The ways to end a worker process. On POSIX its reaper (programs/worker/reaper.py) kills everything below it on
// SIGTERM; a reaper that doesn't is killed itself, together with the worker's process group. worker.ts decides when.

import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

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

/** Passes of `endMarked`. */
const maxPasses = 20;
const passPauseMs = 50;

/**
 * Kill every process whose environment has `mark`, even outside the process group (Linux): for when a script has
 * killed the reaper.
 */
export async function endMarked(mark: string): Promise<void> {
  // Two passes must find nothing: one misses what is forked meanwhile, and a process has no environment during exec.
  for (let pass = 0, empty = 0; pass < maxPasses && empty < 2; pass++) {
    empty = (await killMarked(mark)) ? 0 : empty + 1;
    await pause(passPauseMs);
  }
}

/** Whether there was any. */
async function killMarked(mark: string): Promise<boolean> {
  let wasFound = false;
  const names = await readdir("/proc").catch(() => []);
  for (const name of names.filter((entry) => /^\d+$/.test(entry))) {
    const environment = await readFile(`/proc/${name}/environ`, "latin1").catch(() => "");
    if (!environment.includes(mark)) continue;
    wasFound = true;
    try {
      process.kill(Number(name), "SIGKILL");
    } catch {
      // ESRCH: it has ended meanwhile
    }
  }
  return wasFound;
}

/** Windows has no process groups; taskkill ends the tree. */
function endTree(pid: number | undefined): void {
  if (pid === undefined) return;
  spawn("taskkill", ["/PID", String(pid), "/T", "/F"], { stdio: "ignore", windowsHide: true }).on(
    "error",
    () => {},
  );
}
