// A call from `execute` to its reply, as one object: it waits in call-queue.ts, is sent to a worker (in-flight.ts),
// perhaps returns to the queue, and is settled or refused once, by whoever comes first.

import { TabPyError } from "../errors.ts";
import type { Call, Reply } from "./executor.ts";

export class PendingCall {
  readonly call: Call;
  /** Whose it is; "" for nobody's. */
  readonly client: string;
  /** Resolves with the reply; rejects when the call was refused. */
  readonly reply: Promise<Reply>;
  /** Number of its frame on the channel of the worker that has it (in-flight.ts). */
  frameId = 0;
  /** End of its lease, by performance.now(); that worker doesn't start it later. Undefined: the worker was idle. */
  notAfterMs: number | undefined;
  /** In how many running calls the script runs that makes this call (inner-calls.ts). */
  depth = 0;

  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (error: TabPyError) => void;
  #isEnded = false;
  #onAbort = () => {};
  #waitTimer: NodeJS.Timeout | undefined;

  constructor(call: Call) {
    this.call = call;
    this.client = call.client ?? "";
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    this.reply = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    if (call.signal.aborted) this.settle({ kind: "cancelled", wasStarted: false });
    else call.signal.addEventListener("abort", this);
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** What to do when the call's signal fires; set by each part that the call passes to. */
  set onAbort(act: () => void) {
    this.#onAbort = act;
  }

  /** Called by the call's signal, of which this is an event listener object. */
  handleEvent(): void {
    this.#onAbort();
  }

  /** Call `onLate` after `limitMs`, unless `endWait` is called before. */
  startWait(limitMs: number, onLate: () => void): void {
    this.#waitTimer = setTimeout(onLate, limitMs);
  }

  endWait(): void {
    clearTimeout(this.#waitTimer);
  }

  /** Give the caller its reply. Does nothing when the call has ended; returns whether it did. */
  settle(reply: Reply): boolean {
    if (!this.#end()) return false;
    this.#resolve(reply);
    return true;
  }

  /** Reject the caller's promise with the error. Does nothing when the call has ended. */
  refuse(error: TabPyError): void {
    if (this.#end()) this.#reject(error);
  }

  #end(): boolean {
    if (this.#isEnded) return false;
    this.#isEnded = true;
    this.endWait();
    this.call.signal.removeEventListener("abort", this);
    return true;
  }
}

/** The error of every call that no worker can take: 503 with Retry-After. `info` may be empty. */
export function unavailable(message: string, info: string, retryAfterSeconds: number): TabPyError {
  const headers = { "Retry-After": String(retryAfterSeconds) };
  return new TabPyError("unavailable", message, info === "" ? { headers } : { info, headers });
}
