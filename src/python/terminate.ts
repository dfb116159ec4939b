// The ways to end a worker process. On POSIX its keeper (programs/keeper.py) ends everything below it when asked
// with SIGTERM; only a keeper that doesn't is killed, together with the worker's process group.

import { type ChildProcess, spawn } from "node:child_process";

/** Ask for the end of the process and everything that it started. Does not wait. */
export function requestEnd(child: ChildProcess): void {
  if (process.platform === "win32") endTree(child.pid);
  else child.kill("SIGTERM");
}

/** End what is left: the process itself, and the process group of the worker below it. */
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
    // ESRCH: nothing is left, as it should be
  }
}

/** Windows has no process groups; taskkill ends the tree. */
function endTree(pid: number | undefined): void {
  if (pid === undefined) return;
  spawn("taskkill", ["/PID", String(pid), "/T", "/F"], { stdio: "ignore", windowsHide: true }).on(
    "error",
    () => {},
  );
}
