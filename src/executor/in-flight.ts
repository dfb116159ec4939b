// The calls that a worker has been sent, in order: the first one runs, the others wait in the channel on a lease.
// Knows the time limit of the one that runs, and when the others can't begin any more (frames.ts, `notAfter`).

import { byteLength } from "./channel/frames.ts";
import type { Call, Reply } from "./channel/messages.ts";

/** A call that waits behind another one begins within this time, or it is given to another worker. */
const leaseMs = 5;
/** A call is sent behind others only when they take no longer than this together, each as long as the last one. */
const shortWaitMs = 2;
/**
 * One worker does calls of up to this time nearly as fast as the server can send them. To wake another one beside it
 * takes time that the server needs itself, so they wait for it, this long at most.
 */
const quickCallMs = 0.1;
const quickWaitMs = 0.8;
/** Larger bodies are not sent twice for a little time gained. */
const maxAheadBodyBytes = 64 * 1024;
const maxAheadCalls = 32;

/** A call and where its reply goes. */
export interface Job {
  readonly call: Call;
  readonly resolve: (reply: Reply) => void;
}

export interface SentCall {
  readonly job: Job;
  readonly number: number;
  /** When it can't begin any more, by performance.now(); undefined for a call that met an idle worker. */
  readonly notAfterMs: number | undefined;
  readonly onAbort: () => void;
}

export interface SentCallsOptions {
  /** The call `number` runs from now on. */
  readonly onBegin: (number: number) => void;
  /** The call that runs is past its time limit. */
  readonly onLimit: () => void;
  /** Calls that will surely not begin; they are out of the line. */
  readonly onExpired: (calls: readonly SentCall[]) => void;
  /** Whether part of an answer has come and not yet the rest. */
  readonly isAnswerComing: () => boolean;
}

export class SentCalls {
  readonly #options: SentCallsOptions;
  readonly #calls: SentCall[] = [];
  #headSince = 0;
  /** By the worker's own clock: ours would count how long it takes to wake it. */
  #lastCallMs = Number.POSITIVE_INFINITY;
  #limitTimer: NodeJS.Timeout | undefined;
  #limitDue = Number.POSITIVE_INFINITY;
  #leaseTimer: NodeJS.Timeout | undefined;

  constructor(options: SentCallsOptions) {
    this.#options = options;
  }

  /** The call that runs. */
  get head(): SentCall | undefined {
    return this.#calls[0];
  }

  /** Whether `call` may be sent now: when nothing runs always, behind short calls a few short ones. */
  canTake(call: Call): boolean {
    if (this.#calls.length === 0) return true;
    return (
      this.#waitMs <= shortWaitMs &&
      this.#calls.length <= maxAheadCalls &&
      byteLength(call.body) <= maxAheadBodyBytes &&
      performance.now() - this.#headSince < shortWaitMs
    );
  }

  /** Whether a call runs, and to wait behind it and the others is better than to wake another process. */
  get isQuick(): boolean {
    return this.#calls.length > 0 && this.#lastCallMs < quickCallMs && this.#waitMs < quickWaitMs;
  }

  /** How long the calls that were sent will take if each takes as long as the last one. */
  get #waitMs(): number {
    return this.#calls.length * this.#lastCallMs;
  }

  /** Put a call at the end of the line. Its `notAfterMs` is for the frame. */
  add(job: Job, number: number, onAbort: () => void): SentCall {
    const now = performance.now();
    const isAhead = this.#calls.length > 0;
    const call: SentCall = { job, number, notAfterMs: isAhead ? now + leaseMs : undefined, onAbort };
    this.#calls.push(call);
    if (isAhead) this.#leaseTimer ??= setTimeout(() => this.#checkLeases(), leaseMs + 1);
    else this.#begin(call, now);
    return call;
  }

  /** The head was answered after `tookMs`, or returned without having begun: it leaves, and the next one runs. */
  shift(tookMs: number | undefined): void {
    const now = performance.now();
    if (tookMs !== undefined) this.#lastCallMs = tookMs;
    this.#calls.shift();
    const [next] = this.#calls;
    if (next !== undefined) this.#begin(next, now);
  }

  /** Empty the line, for good: the call that ran, if any, and those that had not begun. */
  close(): { readonly head: SentCall | undefined; readonly ahead: readonly SentCall[] } {
    clearTimeout(this.#limitTimer);
    clearTimeout(this.#leaseTimer);
    const [head, ...ahead] = this.#calls.splice(0);
    return { head, ahead };
  }

  /** From now on `call` runs: its time limit counts. */
  #begin(call: SentCall, now: number): void {
    this.#headSince = now;
    this.#options.onBegin(call.number);
    // One timer for many calls: it looks at the clock when it fires, and goes on for the call that runs then.
    const limitMs = call.job.call.timeoutMs;
    if (limitMs !== undefined && now + limitMs < this.#limitDue) this.#setLimit(now + limitMs, limitMs);
  }

  #setLimit(due: number, waitMs: number): void {
    clearTimeout(this.#limitTimer);
    this.#limitDue = due;
    this.#limitTimer = setTimeout(() => this.#checkLimit(), Math.ceil(waitMs));
  }

  #checkLimit(): void {
    this.#limitDue = Number.POSITIVE_INFINITY;
    const limitMs = this.head?.job.call.timeoutMs;
    if (limitMs === undefined) return;
    const leftMs = this.#headSince + limitMs - performance.now();
    if (leftMs <= 0) this.#options.onLimit();
    else this.#setLimit(this.#headSince + limitMs, leftMs);
  }

  /** Take back calls that wait behind one that takes long. Two looks, so that no answer lies unread between. */
  #checkLeases(seen?: SentCall): void {
    this.#leaseTimer = undefined;
    const [head, next] = this.#calls;
    if (head === undefined || next === undefined) return;
    const now = performance.now();
    const leftMs = (next.notAfterMs ?? 0) - now;
    if (leftMs > 0) {
      this.#leaseTimer = setTimeout(() => this.#checkLeases(), Math.ceil(leftMs) + 1);
    } else if (head !== seen || this.#options.isAnswerComing()) {
      this.#leaseTimer = setTimeout(() => this.#checkLeases(head), 1);
    } else {
      const firstValid = this.#calls.findIndex((call, at) => at > 0 && (call.notAfterMs ?? 0) > now);
      const expired = this.#calls.splice(1, (firstValid === -1 ? this.#calls.length : firstValid) - 1);
      if (this.#calls.length > 1) this.#leaseTimer = setTimeout(() => this.#checkLeases(), leaseMs);
      this.#options.onExpired(expired);
    }
  }
}
