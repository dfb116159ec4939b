// Measures the resident memory of workers with everything that their scripts have started, from /proc (Linux), and
// reports those over the limit: pool.ts ends them. Elsewhere nothing is measured and no limit is enforced.

import { readFile } from "node:fs/promises";
import { descendants } from "./descendants.ts";

/** What is measured: a worker, and the reaper above it, which adopts what the scripts leave. */
interface Measured {
  /** Process id, not known at first. */
  readonly pid: number | undefined;
  readonly reaperPid: number | undefined;
}

const pageBytes = 4096;
/** How often memory is measured. */
const intervalMs = 100;

/**
 * Measure `workers()` ten times a second and report each one whose resident memory, with that of its descendants, is
 * over `limitBytes`.
 *
 * @returns a function that stops measuring.
 */
export function watchMemory<W extends Measured>(
  workers: () => Iterable<W>,
  limitBytes: number,
  onTooLarge: (worker: W, bytes: number) => void,
): () => void {
  const measuring = new Set<W>();
  const measure = async (worker: W) => {
    if (worker.pid === undefined || measuring.has(worker)) return;
    measuring.add(worker);
    const bytes = await treeBytes(worker.pid, worker.reaperPid, limitBytes);
    measuring.delete(worker);
    if (bytes > limitBytes) onTooLarge(worker, bytes);
  };
  const timer = setInterval(() => {
    for (const worker of workers()) measure(worker);
  }, intervalMs);
  return () => clearInterval(timer);
}

/** Memory of a worker and of all processes below its reaper. */
async function treeBytes(pid: number, reaperPid: number | undefined, limitBytes: number): Promise<number> {
  const below = reaperPid === undefined ? [] : await descendants(reaperPid);
  const processes = [...new Set([pid, ...below])];
  const resident = sum(await Promise.all(processes.map(residentBytes)));
  if (resident <= limitBytes || processes.length === 1) return resident;
  // A fork shares its parent's pages: they count once. This takes longer to read.
  return sum(await Promise.all(processes.map(proportionalBytes)));
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

/** Resident bytes of a process; of each page that n processes share, an nth part. */
async function proportionalBytes(pid: number): Promise<number> {
  try {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, "latin1");
    return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
  } catch {
    return residentBytes(pid);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
