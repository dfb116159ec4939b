// The line of calls that wait for a worker, in the order of arrival, each for a limited time. In front of it stand the
// calls that a worker gave back. Which worker takes the next one is pool.ts's affair.

import { TabPyError } from "../errors.ts";
import type { Job } from "./in-flight.ts";

interface Waiting extends Job {
  readonly reject: (error: TabPyError) => void;
  readonly timer: NodeJS.Timeout;
  readonly onAbort: () => void;
}

export class CallQueue {
  readonly #maxCalls: number;
  readonly #timeoutMs: number;
  readonly #waiting = new Set<Waiting>();
  /** Calls that a worker gave back. */
  readonly #returned: Job[] = [];

  /** @param maxCalls that may wait at one time. @param timeoutMs that each of them waits at most. */
  constructor(maxCalls: number, timeoutMs: number) {
    this.#maxCalls = maxCalls;
    this.#timeoutMs = timeoutMs;
  }

  /** Calls that wait, without those that were given back. */
  get size(): number {
    return this.#waiting.size;
  }

  get hasReturned(): boolean {
    return this.#returned.length > 0;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0 && this.#returned.length === 0;
  }

  /** Put a call at the end. `reject` gets TabPyError `unavailable` when the line is full or the wait too long. */
  add(job: Job, reject: (error: TabPyError) => void): void {
    if (this.#waiting.size >= this.#maxCalls) {
      reject(unavailable("The server is busy", `${this.#waiting.size} calls are waiting for a worker`, 1));
      return;
    }
    const onAbort = () => {
      this.#leave(waiting);
      job.resolve({ kind: "cancelled" });
    };
    const timer = setTimeout(() => {
      this.#leave(waiting);
      reject(unavailable("The server is busy", `no worker was free within ${this.#timeoutMs / 1000} s`, 1));
    }, this.#timeoutMs);
    const waiting: Waiting = { ...job, reject, timer, onAbort };
    job.call.signal.addEventListener("abort", onAbort);
    this.#waiting.add(waiting);
  }

  /** Put calls that did not begin where they were sent in front of all others. */
  giveBack(jobs: readonly Job[]): void {
    this.#returned.push(...jobs);
  }

  /** The call in front, still in line. */
  get first(): Job | undefined {
    if (this.#returned[0] !== undefined) return this.#returned[0];
    const [waiting] = this.#waiting;
    return waiting;
  }

  /** Take the call in front out of the line. */
  shift(): Job | undefined {
    if (this.#returned.length > 0) return this.#returned.shift();
    const [waiting] = this.#waiting;
    if (waiting !== undefined) this.#leave(waiting);
    return waiting;
  }

  /** Answer every call in line that it can't be taken. */
  rejectAll(message: string, retryAfterSeconds: number): void {
    for (const job of this.#returned.splice(0)) job.resolve({ kind: "lost", reason: message });
    for (const waiting of [...this.#waiting]) {
      this.#leave(waiting);
      waiting.reject(unavailable(message, "", retryAfterSeconds));
    }
  }

  #leave(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    clearTimeout(waiting.timer);
    waiting.call.signal.removeEventListener("abort", waiting.onAbort);
  }
}

/** No worker can take a call now. */
export function unavailable(message: string, info: string, retryAfterSeconds: number): TabPyError {
  const headers = { "Retry-After": String(retryAfterSeconds) };
  return new TabPyError("unavailable", message, info === "" ? { headers } : { info, headers });
}
