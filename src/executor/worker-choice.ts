// Which worker takes a call, and which call a worker takes next. Clients take turns (call-queue.ts), and each may hold
// only so many workers: those that were sent at least one call of it. pool.ts starts and ends the workers.

import type { PendingCall } from "./call.ts";
import type { CallQueue } from "./call-queue.ts";
import type { Worker } from "./worker.ts";

export interface WorkerChoiceOptions {
  /** Workers of the pool. */
  readonly size: number;
  /** Workers that one client may hold. */
  readonly workersPerUser: number;
  /** Calls after which a worker is replaced; 0 for never. */
  readonly workerMaxRequests: number;
}

export class WorkerChoice {
  /** The workers that take the pool's calls: starting, idle or busy. */
  readonly workers = new Set<Worker>();
  readonly #options: WorkerChoiceOptions;
  readonly #queue: CallQueue;
  readonly #idle: Worker[] = [];
  /** Whether a client may not hold all workers. */
  readonly #isBounded: boolean;

  constructor(options: WorkerChoiceOptions, queue: CallQueue) {
    this.#options = options;
    this.#isBounded = options.workersPerUser < options.size;
    this.#queue = queue;
  }

  isIdle(worker: Worker): boolean {
    return this.#idle.includes(worker);
  }

  /** The worker waits for a call. */
  addIdle(worker: Worker): void {
    if (!this.isIdle(worker)) this.#idle.push(worker);
  }

  remove(worker: Worker): void {
    this.workers.delete(worker);
    const at = this.#idle.indexOf(worker);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  /** Whether the worker is used up. */
  isUsedUp(worker: Worker): boolean {
    const limit = this.#options.workerMaxRequests;
    return limit > 0 && worker.callCount >= limit;
  }

  /** The worker for a new call, which no longer counts as idle; undefined when the call has to wait. */
  takeFor(pending: PendingCall): Worker | undefined {
    return this.#quickWorker(pending) ?? this.takeIdle(pending);
  }

  /** An idle worker that may take the call, if possible one that has loaded the function that the call is for. */
  takeIdle({ call, client }: PendingCall): Worker | undefined {
    if (this.#idle.length === 0 || !this.#mayHoldMore(client)) return undefined;
    const model = call.what.kind === "query" ? call.what.model : undefined;
    let at = -1;
    if (model !== undefined)
      at = this.#idle.findLastIndex((worker) => worker.hasModel(model) && worker.canTake(call));
    if (at === -1) at = this.#idle.findLastIndex((worker) => worker.canTake(call));
    return at === -1 ? undefined : this.#idle.splice(at, 1)[0];
  }

  /** Takes the next call for `worker` out of the queue, if it can take it. */
  nextFor(worker: Worker): PendingCall | undefined {
    const next = this.#queue.next((client) => this.#mayTake(worker, client));
    if (next === undefined || !worker.canTake(next.call)) return undefined;
    // Send a busy worker only calls beyond the share of the others: they may be free sooner.
    if (!this.#queue.hasReturned && worker.isBusy && this.#queue.size < this.workers.size) return undefined;
    this.#queue.take(next);
    return next;
  }

  /**
   * An idle worker for the call whose turn it is. There is one beside waiting calls when their clients held as many
   * workers as they may, or when calls were returned.
   */
  takeIdleForNext(): Worker | undefined {
    if (this.#idle.length === 0 || this.#queue.isEmpty) return undefined;
    const next = this.#queue.next((client) => this.#mayHoldMore(client));
    return next === undefined ? undefined : this.takeIdle(next);
  }

  /** A busy worker for which waiting takes less time than waking another one. */
  #quickWorker({ call, client }: PendingCall): Worker | undefined {
    if (!this.#queue.isEmpty) return undefined;
    for (const worker of this.workers) {
      if (worker.isQuickFor(call) && this.#mayTake(worker, client) && !this.isUsedUp(worker)) return worker;
    }
    return undefined;
  }

  #mayTake(worker: Worker, client: string): boolean {
    return !this.#isBounded || worker.isHeldBy(client) || this.#mayHoldMore(client);
  }

  #mayHoldMore(client: string): boolean {
    if (!this.#isBounded) return true;
    const { workersPerUser } = this.#options;
    let held = 0;
    for (const worker of this.workers) if (worker.isHeldBy(client) && ++held >= workersPerUser) return false;
    return true;
  }
}
