// The calls that wait for a worker, in the order of their arrival; calls that a worker returned come first. pool.ts
// decides which worker takes the next one.

import type { TabPyError } from "../errors.ts";
import { type PendingCall, unavailable } from "./call.ts";

export class CallQueue {
  readonly #maxCalls: number;
  readonly #timeoutMs: number;
  readonly #waiting = new Set<PendingCall>();
  readonly #returned = new Set<PendingCall>();

  /** @param maxCalls how many calls may wait. @param timeoutMs how long each of them may wait. */
  constructor(maxCalls: number, timeoutMs: number) {
    this.#maxCalls = maxCalls;
    this.#timeoutMs = timeoutMs;
  }

  /** Waiting calls, without the returned ones. */
  get size(): number {
    return this.#waiting.size;
  }

  get hasReturned(): boolean {
    return this.#returned.size > 0;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0 && this.#returned.size === 0;
  }

  /** Add a call at the end. It is refused when the queue is full, or when it has waited too long. */
  add(pending: PendingCall): void {
    if (this.#waiting.size >= this.#maxCalls) {
      pending.refuse(
        unavailable("The server is busy", `${this.#waiting.size} calls are waiting for a worker`, 1),
      );
      return;
    }
    this.#enter(this.#waiting, pending);
    if (pending.isEnded) return;
    pending.startWait(this.#timeoutMs, () => {
      this.#waiting.delete(pending);
      pending.refuse(
        unavailable("The server is busy", `no worker was free within ${this.#timeoutMs / 1000} s`, 1),
      );
    });
  }

  /** Put calls that were sent to a worker, but not started, before all others. */
  giveBack(calls: readonly PendingCall[]): void {
    for (const pending of calls) this.#enter(this.#returned, pending);
  }

  /** The next call; it stays in the queue. */
  get first(): PendingCall | undefined {
    const [first] = this.#returned.size > 0 ? this.#returned : this.#waiting;
    return first;
  }

  /** Take the next call out of the queue. */
  shift(): PendingCall | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    if (!this.#returned.delete(first)) this.#waiting.delete(first);
    first.endWait();
    return first;
  }

  /** Refuse every call that waits. */
  refuseAll(error: () => TabPyError): void {
    for (let next = this.shift(); next !== undefined; next = this.shift()) next.refuse(error());
  }

  #enter(part: Set<PendingCall>, pending: PendingCall): void {
    const leave = () => {
      part.delete(pending);
      pending.settle({ kind: "cancelled", wasStarted: false });
    };
    if (pending.call.signal.aborted) leave();
    else part.add(pending);
    pending.onAbort = leave;
  }
}
