// Lines on their way to one target. A caller never waits: lines go as bytes into a bounded buffer, and out of it one
// write at a time. Bytes, because what waits for long costs nothing then but its memory. What a slow or broken target
// costs is counted and said, in that log and through `onFault`.

import type { Service } from "../lifecycle.ts";

/** Records side by side. */
export interface Batch {
  /** Each record with its line end. */
  readonly bytes: Buffer;
  /** Where each record ends in `bytes`. */
  readonly ends: readonly number[];
  /** When each record was said, in milliseconds since 1970. */
  readonly timesMs: readonly number[];
}

/** How far a write came. */
export interface Written {
  /** Bytes that need not be written again. */
  readonly bytes: number;
  /** Records among them that were given up. */
  readonly lost: number;
  /** Why it did not come to the end. */
  readonly fault: string | undefined;
}

/** Where lines end up. Its methods are called one at a time. */
export interface Target {
  /** What messages call it: the path of a file, `standard output`. */
  readonly name: string;
  /** A line with its end as bytes; UTF-8 and a line feed when it is missing. */
  readonly encode?: (line: string) => Buffer;
  /** Write what of a batch begins at byte `from`. Must not reject. What isn't written comes again. */
  write(batch: Batch, from: number): Promise<Written>;
  /** Open what has its name now. Whether half a record that was written is to be written again whole. */
  reopen(): Promise<boolean>;
  close(): Promise<void>;
}

export interface LineQueueOptions {
  readonly target: Target;
  /** Makes the line that says, in this log, that lines are missing. */
  readonly lossLine: (text: string) => string;
  /** Told when the target fails or lines are lost, at most every ten seconds. */
  readonly onFault: (text: string) => void;
}

/** More bytes than these don't wait: what comes then is dropped. */
const maxWaitingBytes = 8 * 1024 * 1024;
const batchBytes = 64 * 1024;
/** How long `stop` waits for a slow target. */
const flushTimeoutMs = 2000;
const reportPauseMs = 10_000;
/** A target that fails is tried again after 0.1 s, 0.2 s and so on, up to a second. */
const firstPauseMs = 100;
const longestPauseMs = 1000;
const tooSlow = "its reader is too slow";

export class LineQueue implements Service {
  readonly name: string;
  readonly #options: LineQueueOptions;
  readonly #batches: Batch[] = [];
  /** Where the first batch goes on. */
  #from = 0;
  #filling: { bytes: Buffer; used: number; ends: number[]; timesMs: number[] } | undefined;
  #waitingBytes = 0;
  #lost = 0;
  #lostInAll = 0;
  #fault: string | undefined;
  #failures = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #isScheduled = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #isReopenAsked = false;
  #isGivenUp = false;
  #isStopped = false;

  constructor(options: LineQueueOptions) {
    this.#options = options;
    this.name = `log ${options.target.name}`;
  }

  /** Whether the next line will be kept; if not, `drop` it and spare its making. */
  get hasRoom(): boolean {
    return this.#waitingBytes < maxWaitingBytes;
  }

  /** Count a line that finds no room. */
  drop(): void {
    if (this.#isStopped) return; // nobody is left to whom it could be said
    this.#lost++;
    this.#lostInAll++;
    this.#report();
  }

  /** Put a record in line. Never blocks, never throws. */
  push(line: string, timeMs: number): void {
    if (this.#isStopped) return;
    if (!this.hasRoom) this.drop();
    else this.#put(line, timeMs);
    if (!this.#isScheduled && this.#writing === undefined && this.#retryTimer === undefined) {
      this.#isScheduled = true;
      // After the current turn, so that the lines of one turn go out together.
      setImmediate(() => this.#begin());
    }
  }

  async start(): Promise<void> {}

  /** Open the target anew, behind what is on its way. */
  reopen(): void {
    this.#isReopenAsked = true;
    this.#begin();
  }

  /** Write what waits, or give up: after two seconds, and at once when the target fails. */
  async flush(): Promise<void> {
    if (this.#isStopped || this.#isGivenUp) return;
    this.#begin();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#isGivenUp = true;
        resolve();
      }, flushTimeoutMs);
    });
    await Promise.race([this.#drained(), late]);
    clearTimeout(timer);
  }

  /** `flush`, and close the target. */
  async stop(): Promise<void> {
    await this.flush();
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#retryTimer);
    if (!this.#isGivenUp) await this.#options.target.close();
  }

  async #drained(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  #put(line: string, timeMs: number): void {
    const { encode } = this.#options.target;
    const encoded = encode?.(line);
    // No character takes more than three bytes for each of its units.
    const needed = encoded?.length ?? line.length * 3 + 1;
    let filling = this.#filling;
    if (filling === undefined || filling.used + needed > filling.bytes.length) {
      this.#seal();
      filling = { bytes: Buffer.allocUnsafe(Math.max(batchBytes, needed)), used: 0, ends: [], timesMs: [] };
      this.#filling = filling;
    }
    const begin = filling.used;
    if (encoded === undefined) {
      filling.used += filling.bytes.write(line, begin);
      filling.bytes[filling.used++] = 0x0a;
    } else {
      filling.used += encoded.copy(filling.bytes, begin);
    }
    filling.ends.push(filling.used);
    filling.timesMs.push(timeMs);
    this.#waitingBytes += filling.used - begin;
  }

  /** Close the batch that is being filled. */
  #seal(): void {
    const filling = this.#filling;
    if (filling === undefined) return;
    this.#filling = undefined;
    const { bytes, used, ends, timesMs } = filling;
    this.#batches.push({ bytes: bytes.subarray(0, used), ends, timesMs });
  }

  #begin(): void {
    this.#isScheduled = false;
    if (this.#writing !== undefined) return;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#writing = this.#writeAll().then((fault) => {
      this.#writing = undefined;
      this.#fault = fault;
      this.#failures = fault === undefined ? 0 : this.#failures + 1;
      if (fault === undefined || this.#isStopped) return;
      const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#failures - 1));
      this.#retryTimer = setTimeout(() => this.#begin(), pauseMs);
      this.#report();
    });
  }

  /** Write until nothing waits; why not, when the target fails. */
  async #writeAll(): Promise<string | undefined> {
    const { target, lossLine } = this.#options;
    for (;;) {
      if (this.#isReopenAsked) {
        this.#isReopenAsked = false;
        if (await target.reopen()) this.#goBack();
      }
      const lost = this.#lost; // behind what waits now, and before what comes
      this.#seal();
      for (let left = this.#batches.length; left > 0; left--) {
        const fault = await this.#writeFirst();
        if (fault !== undefined) return fault;
      }
      if (lost > 0) {
        this.#lost -= lost;
        const reason = this.#fault ?? tooSlow;
        this.#put(lossLine(`${lost} lines were lost here: ${reason}`), Date.now());
      }
      if (this.#filling === undefined && this.#lost === 0 && !this.#isReopenAsked) return undefined;
    }
  }

  async #writeFirst(): Promise<string | undefined> {
    const [batch] = this.#batches;
    if (batch === undefined) return undefined;
    const { bytes, lost, fault } = await this.#options.target.write(batch, this.#from);
    this.#from += bytes;
    this.#waitingBytes -= bytes;
    this.#lost += lost;
    this.#lostInAll += lost;
    if (this.#from < batch.bytes.length) return fault ?? "nothing more was written";
    this.#batches.shift();
    this.#from = 0;
    if (lost > 0) {
      this.#fault = fault;
      this.#report();
    }
    return undefined;
  }

  /** To the begin of a record that is half written. */
  #goBack(): void {
    const begin = this.#batches[0]?.ends.findLast((end) => end <= this.#from) ?? 0;
    this.#waitingBytes += this.#from - begin;
    this.#from = begin;
  }

  #report(): void {
    const now = performance.now();
    if (now - this.#reportedAt < reportPauseMs) return;
    this.#reportedAt = now;
    const reason = this.#fault ?? tooSlow;
    const lost = this.#lostInAll === 0 ? "" : `, ${this.#lostInAll} lines are lost so far`;
    this.#options.onFault(`Cannot write the log ${this.#options.target.name}: ${reason}${lost}`);
  }
}
