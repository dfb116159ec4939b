// Resident memory of workers, from /proc (Linux). Elsewhere nothing is measured and no limit is enforced.

import { readFile } from "node:fs/promises";
import type { Worker } from "../worker.ts";

const pageBytes = 4096;
/** A script that eats memory gets this long before it is noticed. */
const intervalMs = 100;

/**
 * Measure `workers()` ten times a second and report each one whose resident memory is over `limitBytes`.
 *
 * @returns ends the watch.
 */
export function watchMemory(
  workers: () => Iterable<Worker>,
  limitBytes: number,
  onTooLarge: (worker: Worker, bytes: number) => void,
): () => void {
  const timer = setInterval(() => {
    for (const worker of workers()) {
      if (worker.pid === undefined) continue;
      residentBytes(worker.pid).then((bytes) => {
        if (bytes > limitBytes) onTooLarge(worker, bytes);
      });
    }
  }, intervalMs);
  return () => clearInterval(timer);
}

/** Resident bytes of a process; 0 when it is gone or can't be measured. */
export async function residentBytes(pid: number): Promise<number> {
  try {
    const [, pages] = (await readFile(`/proc/${pid}/statm`, "latin1")).split(" ");
    return Number(pages) * pageBytes;
  } catch {
    return 0;
  }
}
