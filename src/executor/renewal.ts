// Replaces workers in turn when the code that they have imported may have changed. A new worker is ready before an old one
// gives up its place, so that there are as many as before at any time.

import { errorText } from "../errors.ts";
import type { Logger } from "../logging/logger.ts";
import type { Worker } from "./worker.ts";

export interface RenewalOptions {
  /** Starts a worker that takes none of the pool's calls yet. */
  readonly startWorker: () => Promise<Worker>;
  /** Gives the place of `old` to `fresh`; false when `old` has none any more. */
  readonly exchange: (old: Worker, fresh: Worker) => boolean;
  readonly log: Logger;
}

export class Renewal {
  readonly #options: RenewalOptions;
  readonly #due = new Set<Worker>();
  #isRunning = false;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  /** Replace those of these workers that are ready; the others start with the code as it is now. */
  request(workers: Iterable<Worker>, reason: string): void {
    const before = this.#due.size;
    for (const worker of workers) if (worker.isReady) this.#due.add(worker);
    const added = this.#due.size - before;
    if (added === 0) return;
    this.#options.log.info(`Replacing ${added === 1 ? "a worker" : `${added} workers`} in turn: ${reason}`);
    if (!this.#isRunning) this.#run();
  }

  stop(): void {
    this.#due.clear();
  }

  async #run(): Promise<void> {
    const { startWorker, exchange, log } = this.#options;
    this.#isRunning = true;
    let fresh: Worker | undefined;
    try {
      for (const old of this.#due) {
        fresh ??= await startWorker();
        this.#due.delete(old);
        if (exchange(old, fresh)) fresh = undefined;
      }
    } catch (error) {
      this.#due.clear();
      log.error(`Cannot replace workers, which continue with the code that they have: ${errorText(error)}`);
    }
    fresh?.stop();
    this.#isRunning = false;
  }
}
