// The calls that wait for a worker. Clients take turns, and the calls of each keep the order of their arrival, except
// that those which a worker returned come first. worker-choice.ts decides whose turn may be passed over, and which
// worker takes the next call.

import type { TabPyError } from "../errors.ts";
import { type PendingCall, unavailable } from "./call.ts";

/** The part of the queue that one client's calls may fill: a place is left for the calls of others, who take turns. */
const shareOfClient = 0.9;

/** The calls of one client. */
interface Line {
  readonly client: string;
  /** Those that were sent to a worker, but not started. They are before the others. */
  readonly returned: PendingCall[];
  readonly waiting: Set<PendingCall>;
}

export class CallQueue {
  readonly #maxCalls: number;
  readonly #maxCallsOfClient: number;
  readonly #timeoutMs: number;
  /** The line of each client that has any; the client whose turn it is comes first. */
  #lines = new Map<string, Line>();
  #size = 0;
  #returnedCount = 0;

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
    return this.#returnedCount > 0;
  }

  get isEmpty(): boolean {
    return this.#lines.size === 0;
  }

  /**
   * Add a call at the end of its client's line. It is refused when the queue or the client's share of it is full, or when
   * it has waited too long.
   */
  add(pending: PendingCall): void {
    const line = this.#lineOf(pending);
    if (this.#size >= this.#maxCalls) {
      this.#refuse(pending, `${this.#size} calls are waiting for a worker`);
    } else if (line.waiting.size >= this.#maxCallsOfClient) {
      this.#refuse(pending, `${line.waiting.size} calls of this client are waiting for a worker`);
    } else if (this.#wait(pending)) {
      line.waiting.add(pending);
      this.#size++;
      this.#lines.set(line.client, line);
    }
  }

  /**
   * Put calls that were sent to a worker, but not started, at the head of their clients' lines. These clients had their
   * turn: they get it back, for one call each.
   */
  giveBack(calls: readonly PendingCall[]): void {
    const first = new Map<string, Line>();
    for (const pending of calls) {
      if (!this.#wait(pending)) continue;
      const line = first.get(pending.client) ?? this.#lineOf(pending);
      line.returned.push(pending);
      this.#returnedCount++;
      first.set(line.client, line);
    }
    if (first.size === 0) return;
    for (const [client, line] of this.#lines) if (!first.has(client)) first.set(client, line);
    this.#lines = first;
  }

  /** The first call of the first client for which `mayRun` returns true; it stays in the queue. */
  next(mayRun: (client: string) => boolean): PendingCall | undefined {
    for (const { client, returned, waiting } of this.#lines.values())
      if (mayRun(client)) return returned[0] ?? firstOf(waiting);
    return undefined;
  }

  /** Whether the call waits. */
  has(pending: PendingCall): boolean {
    const line = this.#lines.get(pending.client);
    return line !== undefined && (line.waiting.has(pending) || line.returned.includes(pending));
  }

  /** Take a call that waits out of the queue; the next turn is another client's. */
  take(pending: PendingCall): void {
    const line = this.#remove(pending);
    if (line === undefined || line.returned.length + line.waiting.size === 0 || this.#lines.size === 1)
      return;
    this.#lines.delete(line.client);
    this.#lines.set(line.client, line);
  }

  /** Refuse every call that waits. */
  refuseAll(error: () => TabPyError): void {
    for (let next = this.next(anyone); next !== undefined; next = this.next(anyone)) {
      this.#remove(next);
      next.refuse(error());
    }
  }

  /** Whether the call waits from now on: it may have been cancelled. */
  #wait(pending: PendingCall): boolean {
    const leave = () => pending.settle({ kind: "cancelled", wasStarted: false });
    if (pending.call.signal.aborted) {
      leave();
      return false;
    }
    pending.onAbort = () => {
      this.#remove(pending);
      leave();
    };
    pending.startWait(this.#timeoutMs, () => {
      this.#remove(pending);
      this.#refuse(pending, `no worker was free within ${this.#timeoutMs / 1000} s`);
    });
    return true;
  }

  /** Returns the line in which the call was. */
  #remove(pending: PendingCall): Line | undefined {
    const line = this.#lines.get(pending.client);
    if (line === undefined) return undefined;
    pending.endWait();
    if (line.waiting.delete(pending)) this.#size--;
    else {
      const at = line.returned.indexOf(pending);
      if (at !== -1) {
        line.returned.splice(at, 1);
        this.#returnedCount--;
      }
    }
    if (line.returned.length + line.waiting.size === 0) this.#lines.delete(line.client);
    return line;
  }

  #lineOf({ client }: PendingCall): Line {
    return this.#lines.get(client) ?? { client, returned: [], waiting: new Set() };
  }

  #refuse(pending: PendingCall, info: string): void {
    pending.refuse(unavailable("The server is busy", info, 1));
  }
}

function anyone(): boolean {
  return true;
}

function firstOf<T>(items: Iterable<T>): T | undefined {
  const [first] = items;
  return first;
}
