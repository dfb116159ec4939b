// Calls that come from inside a running script, over HTTP. The script waits for them, and its worker with it: with as many
// such scripts as workers, all would wait for one another. So they don't wait for a worker of the pool: they run in workers
// beyond its number. A call that finds a free worker never gets here.

import { errorText, TabPyError } from "../errors.ts";
import type { Logger } from "../logging/logger.ts";
import { type PendingCall, unavailable } from "./call.ts";
import type { CallQueue } from "./call-queue.ts";
import { ownersOf } from "./process/socket-owner.ts";
import type { Worker } from "./worker.ts";

/** How deep calls from inside scripts may be nested. */
export const maxDepth = 8;
/** Pause between two searches: each reads the tables of the kernel. */
const searchPauseMs = 20;
/** How long a worker beyond the number waits for another call. */
const idleMs = 10_000;

export interface InnerCallsOptions {
  /** The workers in which scripts run. */
  readonly workers: () => Iterable<Worker>;
  /** Starts a worker that takes none of the pool's calls. */
  readonly startWorker: () => Promise<Worker>;
  readonly queue: Pick<CallQueue, "has" | "take">;
  readonly maxWorkers: number;
  readonly log: Logger;
}

export class InnerCalls {
  readonly #options: InnerCallsOptions;
  readonly #waiting = new Set<PendingCall>();
  readonly #idle = new Map<Worker, NodeJS.Timeout>();
  #workerCount = 0;
  #isSearching = false;

  constructor(options: InnerCallsOptions) {
    this.#options = options;
  }

  /** To be called for a call that waits for a worker: if it comes from inside a script, it is run at once. */
  consider(pending: PendingCall): void {
    const { connection } = pending.call;
    if (connection === undefined || connection.isOutside === true) return;
    this.#waiting.add(pending);
    if (!this.#isSearching) this.#search();
  }

  stop(): void {
    for (const timer of this.#idle.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  async #search(): Promise<void> {
    this.#isSearching = true;
    while (this.#waiting.size > 0) {
      const calls = [...this.#waiting];
      this.#waiting.clear();
      const connections = calls.flatMap(({ call }) => call.connection ?? []);
      const owners = await ownersOf(connections, [...this.#options.workers()]);
      for (const pending of calls) {
        const { connection } = pending.call;
        const owner = connection && owners.get(connection);
        if (owner !== undefined) this.#run(pending, owner);
        else if (connection !== undefined) connection.isOutside = true;
      }
      await new Promise((resolve) => setTimeout(resolve, searchPauseMs));
    }
    this.#isSearching = false;
  }

  async #run(pending: PendingCall, owner: Worker): Promise<void> {
    const { queue } = this.#options;
    if (!queue.has(pending)) return;
    queue.take(pending);
    const outer = owner.runningCall;
    pending.depth = (outer?.depth ?? 0) + 1;
    const from = `inside call ${outer?.call.callId ?? "that has ended"}`;
    if (pending.depth > maxDepth) {
      this.#refuse(
        pending,
        `it comes from ${from}, and calls from inside scripts may be nested ${maxDepth} deep`,
      );
      return;
    }
    const worker = this.#takeIdle() ?? (await this.#startWorker(pending, from));
    if (worker === undefined) return;
    if (!pending.isEnded) {
      worker.send(pending);
      await pending.reply.catch(() => {});
    }
    this.#keep(worker);
  }

  #takeIdle(): Worker | undefined {
    for (const [worker, timer] of this.#idle) {
      clearTimeout(timer);
      this.#idle.delete(worker);
      if (worker.isReady) return worker;
      this.#workerCount--;
    }
    return undefined;
  }

  async #startWorker(pending: PendingCall, from: string): Promise<Worker | undefined> {
    const { maxWorkers, log, startWorker } = this.#options;
    if (this.#workerCount >= maxWorkers) {
      this.#refuse(pending, `it comes from ${from}, and ${maxWorkers} workers run such calls already`);
      return undefined;
    }
    this.#workerCount++;
    log
      .inCall(pending.call.callId, true)
      .info(`Starting a further worker: all are busy, and this call comes from ${from}`);
    try {
      return await startWorker();
    } catch (error) {
      this.#workerCount--;
      pending.refuse(error instanceof TabPyError ? error : unavailable(errorText(error), "", 1));
      return undefined;
    }
  }

  /** Keep a worker for the next such call, if it can take one. */
  #keep(worker: Worker): void {
    if (!worker.isReady || worker.isBusy) {
      this.#workerCount--;
      worker.kill();
      return;
    }
    const end = () => {
      this.#idle.delete(worker);
      this.#workerCount--;
      worker.stop();
    };
    this.#idle.set(worker, setTimeout(end, idleMs));
  }

  #refuse(pending: PendingCall, reason: string): void {
    this.#options.log.inCall(pending.call.callId, true).warning(`A call was refused: ${reason}`);
    pending.refuse(unavailable("The server is busy", reason, 1));
  }
}
