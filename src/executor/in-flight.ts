// The calls that one worker was sent, in order: the first one runs, the others wait in the channel, each with a lease
// (channel/frames.ts). Knows the time limit of the call that runs, and when the others can't start any more.
//
// Pipelining: a busy worker may be sent up to 32 short calls ahead while their estimated total stays below 2 ms. If the
// last call took under 0.1 ms, calls queue there, up to 0.8 ms, before an idle worker is woken: one worker runs such
// calls nearly as fast as the server can send them, and waking another one takes time that the server needs itself.

import type { PendingCall } from "./call.ts";
import { byteLength, type Call } from "./executor.ts";

/** A call that waits behind another one starts within this time or is given to another worker. */
const leaseMs = 5;
/** How late the timer of a check may fire. */
const onTimeMs = 2;
const shortWaitMs = 2;
const quickCallMs = 0.1;
const quickWaitMs = 0.8;
/** Larger bodies are not sent ahead: when the lease ends, they would be sent twice. */
const maxAheadBodyBytes = 64 * 1024;
const maxAheadCalls = 32;

export interface InFlightOptions {
  /** The call that runs has reached its time limit. */
  readonly onTimeLimit: () => void;
  /** These calls can't start here any more; they are no longer in flight. */
  readonly onExpired: (calls: readonly PendingCall[]) => void;
  /** Whether a reply has arrived in part. */
  readonly isReplyComing: () => boolean;
}

export class InFlight {
  readonly #options: InFlightOptions;
  readonly #calls: PendingCall[] = [];
  /** Frame id of the last call that `shift` has removed. */
  lastRepliedId: number | undefined;
  #firstSince = 0;
  /** By the worker's clock: the server's would include the time to wake the worker. */
  #lastCallMs = Number.POSITIVE_INFINITY;
  #limitTimer: NodeJS.Timeout | undefined;
  #limitDue = Number.POSITIVE_INFINITY;
  #leaseTimer: NodeJS.Timeout | undefined;

  constructor(options: InFlightOptions) {
    this.#options = options;
  }

  /** The call that runs. */
  get first(): PendingCall | undefined {
    return this.#calls[0];
  }

  /** Whether one of them is this client's. */
  isHeldBy(client: string): boolean {
    return this.#calls.some((pending) => pending.client === client);
  }

  /** Whether `call` may be sent now: always to an idle worker, to a busy one only behind a few short calls. */
  canTake(call: Call): boolean {
    if (this.#calls.length === 0) return true;
    return (
      this.#waitMs <= shortWaitMs &&
      this.#calls.length <= maxAheadCalls &&
      byteLength(call.body) <= maxAheadBodyBytes &&
      performance.now() - this.#firstSince < shortWaitMs
    );
  }

  /** Whether a call runs, and waiting behind it and the others takes less time than waking another worker. */
  get isQuick(): boolean {
    return this.#calls.length > 0 && this.#lastCallMs < quickCallMs && this.#waitMs < quickWaitMs;
  }

  /** How long the calls in flight will take if each takes as long as the last one. */
  get #waitMs(): number {
    return this.#calls.length * this.#lastCallMs;
  }

  /** Add a call at the end; sets its frame id and its lease. */
  add(pending: PendingCall, frameId: number): void {
    const now = performance.now();
    const isAhead = this.#calls.length > 0;
    pending.frameId = frameId;
    pending.notAfterMs = isAhead ? now + leaseMs : undefined;
    this.#calls.push(pending);
    if (isAhead && this.#leaseTimer === undefined) this.#checkLater(leaseMs + 1);
    if (!isAhead) this.#startLimit(pending, now);
  }

  /** Remove the first call, which was replied to after `tookMs` or (undefined) returned; the next one runs now. */
  shift(tookMs: number | undefined): void {
    const now = performance.now();
    if (tookMs !== undefined) this.#lastCallMs = tookMs;
    this.lastRepliedId = this.#calls.shift()?.frameId;
    const [next] = this.#calls;
    if (next !== undefined) this.#startLimit(next, now);
  }

  /** Remove and return all calls, for good. */
  close(): PendingCall[] {
    clearTimeout(this.#limitTimer);
    clearTimeout(this.#leaseTimer);
    return this.#calls.splice(0);
  }

  #startLimit(pending: PendingCall, now: number): void {
    this.#firstSince = now;
    // One timer for many calls: when it fires it checks the call that runs then.
    const limitMs = pending.call.timeoutMs;
    if (limitMs !== undefined && now + limitMs < this.#limitDue) this.#setLimit(now + limitMs, limitMs);
  }

  #setLimit(due: number, waitMs: number): void {
    clearTimeout(this.#limitTimer);
    this.#limitDue = due;
    this.#limitTimer = setTimeout(() => this.#checkLimit(), Math.ceil(waitMs));
  }

  #checkLimit(): void {
    this.#limitDue = Number.POSITIVE_INFINITY;
    const limitMs = this.first?.call.timeoutMs;
    if (limitMs === undefined) return;
    const leftMs = this.#firstSince + limitMs - performance.now();
    if (leftMs <= 0) this.#options.onTimeLimit();
    else this.#setLimit(this.#firstSince + limitMs, leftMs);
  }

  #checkLater(waitMs: number, checked?: PendingCall): void {
    const dueMs = performance.now() + waitMs;
    this.#leaseTimer = setTimeout(() => this.#checkLeases(dueMs, checked), waitMs);
  }

  /**
   * Take back calls whose lease has ended. After a delay of this process, a reply may still be unread in the channel.
   * So a check counts only when its timer fired on time, and two are needed, between which the channel was read: a call
   * may wait longer, but doesn't run twice.
   */
  #checkLeases(dueMs: number, checked?: PendingCall): void {
    this.#leaseTimer = undefined;
    const [first, next] = this.#calls;
    if (first === undefined || next === undefined) return;
    const now = performance.now();
    const leftMs = (next.notAfterMs ?? 0) - now;
    const isOnTime = now - dueMs < onTimeMs;
    if (leftMs > 0) {
      this.#checkLater(Math.ceil(leftMs) + 1);
    } else if (first !== checked || !isOnTime || this.#options.isReplyComing()) {
      this.#checkLater(1, isOnTime ? first : undefined);
    } else {
      const firstValid = this.#calls.findIndex((call, at) => at > 0 && (call.notAfterMs ?? 0) > now);
      const expired = this.#calls.splice(1, (firstValid === -1 ? this.#calls.length : firstValid) - 1);
      if (this.#calls.length > 1) this.#checkLater(leaseMs);
      this.#options.onExpired(expired);
    }
  }
}
