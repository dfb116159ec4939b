// Watches the files of modules that workers have imported: when one has changed on disk, workers with the old code and
// workers with the new code would answer differently, so pool.ts replaces all of them.

import { stat } from "node:fs/promises";
import pLimit from "p-limit";

const intervalMs = 1000;
/** Files that are looked at in one interval, in turn: looking at more would take time from calls. */
const filesPerInterval = 200;
/** Further files are not watched. */
const maxFiles = 5000;
const concurrency = 8;

interface Watched {
  /** What was found first; undefined before the first look. */
  readonly first: string | undefined;
  /** What was found last. A change counts when two looks have found the same: a package may be half installed. */
  readonly last: string | undefined;
}

export class ModuleWatch {
  readonly #files = new Map<string, Watched>();
  readonly #onChange: (path: string) => void;
  readonly #limit = pLimit(concurrency);
  #isLooking = false;

  /** @param onChange called once after a change, with the first file found; then all files are forgotten. */
  constructor(onChange: (path: string) => void) {
    this.#onChange = onChange;
  }

  /** @returns a function that stops watching. */
  start(): () => void {
    const timer = setInterval(() => this.#look(), intervalMs);
    return () => clearInterval(timer);
  }

  /** Watch these absolute paths, from the state on that they have when this resolves. */
  async add(paths: readonly string[]): Promise<void> {
    const room = maxFiles - this.#files.size;
    const added = paths.filter((path) => !this.#files.has(path)).slice(0, room);
    for (const path of added) this.#files.set(path, { first: undefined, last: undefined });
    await Promise.all(added.map((path) => this.#limit(() => this.#lookAt(path))));
  }

  /** Forget all files: the workers that have imported them are being replaced. */
  clear(): void {
    this.#files.clear();
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const paths = [...this.#files.keys()].slice(0, filesPerInterval);
    await Promise.all(paths.map((path) => this.#limit(() => this.#lookAt(path))));
    this.#isLooking = false;
  }

  async #lookAt(path: string): Promise<void> {
    const now = await stampOf(path);
    const watched = this.#files.get(path);
    if (watched === undefined) return; // forgotten meanwhile
    this.#files.delete(path); // comes last in the next turn
    this.#files.set(path, { first: watched.first ?? now, last: now });
    if (now === undefined || watched.first === undefined || now === watched.first || now !== watched.last)
      return;
    this.clear();
    this.#onChange(path);
  }
}

/** Changes with the contents of a file; undefined when there is none, as while a package is replaced. */
async function stampOf(path: string): Promise<string | undefined> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return undefined;
  }
}
