// Notices a worker or a reaper that a script has stopped (SIGSTOP), from /proc (Linux): a stopped worker answers no call,
// a stopped reaper ends nothing. pool.ts replaces such a worker.

import { readFile } from "node:fs/promises";

interface Watched {
  readonly pid: number | undefined;
  readonly reaperPid: number | undefined;
}

/** How often the state is read. A process that is stopped twice in a row is reported. */
const intervalMs = 1000;

/** @returns a function that stops watching. */
export function watchStopped<W extends Watched>(
  workers: () => Iterable<W>,
  onStopped: (worker: W, reason: string) => void,
): () => void {
  if (process.platform !== "linux") return () => {};
  const seen = new WeakSet<W>();
  const look = async (worker: W) => {
    const { pid, reaperPid } = worker;
    if (pid === undefined || reaperPid === undefined) return;
    const [isWorkerStopped, isReaperStopped] = await Promise.all([isStopped(pid), isStopped(reaperPid)]);
    if (!isWorkerStopped && !isReaperStopped) seen.delete(worker);
    else if (seen.has(worker))
      onStopped(worker, isReaperStopped ? "its reaper was stopped" : "it was stopped by a signal");
    else seen.add(worker);
  };
  const timer = setInterval(() => {
    for (const worker of workers()) look(worker);
  }, intervalMs);
  return () => clearInterval(timer);
}

/** Whether a process is in state T: stopped by a signal, not by a debugger (t). */
async function isStopped(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  // pid (name) state ...; the name may contain parentheses
  return text.startsWith("T", text.lastIndexOf(")") + 2);
}
