// The calls that wait for a worker. Clients take turns, and the calls of each keep the order of their arrival; calls
// that a worker returned come first. pool.ts decides which worker takes the next one.

import type { TabPyError } from "../errors.ts";
import { type PendingCall, unavailable } from "./call.ts";

/** The part of the queue that one client's calls may fill: a place is left for the calls of others, who take turns. */
const shareOfClient = 0.9;

export class CallQueue {
  readonly #maxCalls: number;
  readonly #maxCallsOfClient: number;
  readonly #timeoutMs: number;
  /** The waiting calls of each client that has any; the client whose turn it is comes first. */
  readonly #clients = new Map<string, Set<PendingCall>>();
  #size = 0;
  readonly #returned = new Set<PendingCall>();

  /** @param maxCalls how many calls may wait. @param timeoutMs how long each of them may wait. */
  constructor(maxCalls: number, timeoutMs: number) {
    this.#maxCalls = maxCalls;
    this.#maxCallsOfClient = Math.ceil(maxCalls * shareOfClient);
    this.#timeoutMs = timeoutMs;
  }

  /** Waiting calls, without the returned ones. */
  get size(): number {
    return this.#size;
  }

  get hasReturned(): boolean {
    return this.#returned.size > 0;
  }

  get isEmpty(): boolean {
    return this.#size === 0 && this.#returned.size === 0;
  }

  /**
   * Add a call at the end of its client's. It is refused when the queue or the client's share of it is full, or when it
   * has waited too long.
   */
  add(pending: PendingCall): void {
    const calls = this.#clients.get(clientOf(pending)) ?? new Set();
    if (this.#size >= this.#maxCalls) {
      this.#refuse(pending, `${this.#size} calls are waiting for a worker`);
    } else if (calls.size >= this.#maxCallsOfClient) {
      this.#refuse(pending, `${calls.size} calls of this client are waiting for a worker`);
    } else if (pending.call.signal.aborted) {
      pending.settle({ kind: "cancelled", wasStarted: false });
    } else {
      if (calls.size === 0) this.#clients.set(clientOf(pending), calls);
      calls.add(pending);
      this.#size++;
      pending.onAbort = () => {
        this.#remove(pending);
        pending.settle({ kind: "cancelled", wasStarted: false });
      };
      pending.startWait(this.#timeoutMs, () => {
        this.#remove(pending);
        this.#refuse(pending, `no worker was free within ${this.#timeoutMs / 1000} s`);
      });
    }
  }

  /** Put calls that were sent to a worker, but not started, before all others. */
  giveBack(calls: readonly PendingCall[]): void {
    for (const pending of calls) {
      const leave = () => {
        this.#returned.delete(pending);
        pending.settle({ kind: "cancelled", wasStarted: false });
      };
      if (pending.call.signal.aborted) leave();
      else this.#returned.add(pending);
      pending.onAbort = leave;
    }
  }

  /** The next call; it stays in the queue. */
  get first(): PendingCall | undefined {
    if (this.#returned.size > 0) return firstOf(this.#returned);
    const calls = firstOf(this.#clients.values());
    return calls === undefined ? undefined : firstOf(calls);
  }

  /** Take the next call out of the queue; the next turn is another client's. */
  shift(): PendingCall | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    if (!this.#returned.delete(first)) this.#endTurn(this.#remove(first), clientOf(first));
    first.endWait();
    return first;
  }

  /** Refuse every call that waits. */
  refuseAll(error: () => TabPyError): void {
    for (let next = this.shift(); next !== undefined; next = this.shift()) next.refuse(error());
  }

  /** Returns the calls of the same client that are left. */
  #remove(pending: PendingCall): Set<PendingCall> {
    const client = clientOf(pending);
    const calls = this.#clients.get(client) ?? new Set();
    if (calls.delete(pending)) this.#size--;
    if (calls.size === 0) this.#clients.delete(client);
    return calls;
  }

  #endTurn(left: Set<PendingCall>, client: string): void {
    if (left.size === 0 || this.#clients.size === 1) return;
    this.#clients.delete(client);
    this.#clients.set(client, left);
  }

  #refuse(pending: PendingCall, info: string): void {
    pending.refuse(unavailable("The server is busy", info, 1));
  }
}

function clientOf({ call }: PendingCall): string {
  return call.client ?? "";
}

function firstOf<T>(items: Iterable<T>): T | undefined {
  const [first] = items;
  return first;
}
