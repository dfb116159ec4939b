// Measures the resident memory of workers, from /proc (Linux), and reports those over the limit: pool.ts ends them.
// Elsewhere nothing is measured and no limit is enforced.

import { readFile } from "node:fs/promises";

/** What is measured: a worker, whose process id is not known at first. */
interface Measured {
  readonly pid: number | undefined;
}

const pageBytes = 4096;
/** How often memory is measured. */
const intervalMs = 100;

/**
 * Measure `workers()` ten times a second and report each one whose resident memory is over `limitBytes`.
 *
 * @returns a function that stops measuring.
 */
export function watchMemory<W extends Measured>(
  workers: () => Iterable<W>,
  limitBytes: number,
  onTooLarge: (worker: W, bytes: number) => void,
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
