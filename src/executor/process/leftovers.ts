// Kills whatever runs for this server, for an end that waits for nothing: reapers (programs/worker/reaper.py) do that
// too once the server is gone, unless a script has stopped or killed them. Needs /proc; elsewhere the reapers remain.

import { readdirSync, readFileSync } from "node:fs";

const markName = "_TABPY_SERVER";
/** How long to look again for processes that were started meanwhile. */
const deadlineMs = 1000;
const passPauseMs = 10;

/** What the environment of every worker contains; scripts pass it on to what they start. */
export function serverMark(): Readonly<Record<string, string>> {
  return { [markName]: `${process.pid}-${performance.timeOrigin}` };
}

/** Kill all descendants of this process and all that have its mark, also those that were given another parent. */
export function killLeftovers(): void {
  const mark = `${markName}=${serverMark()[markName]}`;
  const deadline = performance.now() + deadlineMs;
  // Two passes must find nothing: one misses what is forked meanwhile, and a process has no environment during exec.
  for (let empty = 0; empty < 2 && performance.now() < deadline; ) {
    const left = find(mark);
    empty = left.length === 0 ? empty + 1 : 0;
    for (const pid of left) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // ESRCH: it has ended meanwhile
      }
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, passPauseMs);
  }
}

function find(mark: string): number[] {
  const below = new Set([process.pid]);
  const processes = list();
  for (let size = 0; size < below.size; ) {
    size = below.size;
    for (const { pid, parent } of processes) if (below.has(parent)) below.add(pid);
  }
  return processes
    .filter(({ pid, isZombie }) => pid !== process.pid && !isZombie && (below.has(pid) || hasMark(pid, mark)))
    .map(({ pid }) => pid);
}

function list(): { pid: number; parent: number; isZombie: boolean }[] {
  const names = read(() => readdirSync("/proc"), []).filter((name) => /^\d+$/.test(name));
  return names.flatMap((name) => {
    // pid (name) state ppid ...; the name may contain spaces and parentheses
    const stat = read(() => readFileSync(`/proc/${name}/stat`, "latin1"), "");
    const [, state, parent] = /.*\) (\S) (\d+) /s.exec(stat) ?? [];
    return parent === undefined
      ? []
      : [{ pid: Number(name), parent: Number(parent), isZombie: state === "Z" }];
  });
}

function hasMark(pid: number, mark: string): boolean {
  return read(() => readFileSync(`/proc/${pid}/environ`, "latin1"), "").includes(mark);
}

/** `otherwise` for a process that has ended or belongs to another user. */
function read<T>(from: () => T, otherwise: T): T {
  try {
    return from();
  } catch {
    return otherwise;
  }
}
