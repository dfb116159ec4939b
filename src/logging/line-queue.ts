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

/** A batch before it is closed. Text is made bytes in one go; what has an encoding of its own comes as bytes. */
interface Filling {
  text: string;
  readonly pieces: Buffer[];
  /** Where each record ends in `text`, or in `pieces`. */
  readonly ends: number[];
  readonly timesMs: number[];
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
const batchLength = 64 * 1024;
/** How long lines wait for others to go out with. */
const gatherMs = 50;
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
  #filling: Filling | undefined;
  #waitingBytes = 0;
  #lost = 0;
  #lostInAll = 0;
  #fault: string | undefined;
  #failures = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
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
    if (this.#writing !== undefined || this.#failures > 0) return;
    if (this.#batches.length > 1) this.#begin();
    else this.#timer ??= setTimeout(() => this.#begin(), gatherMs);
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
    clearTimeout(this.#timer);
    if (!this.#isGivenUp) await this.#options.target.close();
  }

  async #drained(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  #put(line: string, timeMs: number): void {
    this.#filling ??= { text: "", pieces: [], ends: [], timesMs: [] };
    const filling = this.#filling;
    const piece = this.#options.target.encode?.(line);
    let length = line.length + 1;
    if (piece === undefined) {
      filling.text += line;
      filling.text += "\n";
    } else {
      filling.pieces.push(piece);
      length = piece.length;
    }
    const end = (filling.ends.at(-1) ?? 0) + length;
    filling.ends.push(end);
    filling.timesMs.push(timeMs);
    this.#waitingBytes += length;
    if (end > batchLength) this.#seal();
  }

  /** Close the batch that is being filled. */
  #seal(): void {
    const filling = this.#filling;
    if (filling === undefined) return;
    this.#filling = undefined;
    const { text, pieces, ends, timesMs } = filling;
    const bytes = pieces.length > 0 ? Buffer.concat(pieces) : Buffer.from(text);
    const isPlain = pieces.length > 0 || bytes.length === text.length;
    this.#batches.push({ bytes, ends: isPlain ? ends : byteEnds(text, ends), timesMs });
    // Until now a character was taken for a byte.
    this.#waitingBytes += bytes.length - (ends.at(-1) ?? 0);
  }

  #begin(): void {
    if (this.#writing !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writeAll().then((fault) => {
      this.#writing = undefined;
      this.#fault = fault;
      this.#failures = fault === undefined ? 0 : this.#failures + 1;
      if (fault === undefined || this.#isStopped) return;
      const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#failures - 1));
      this.#timer = setTimeout(() => this.#begin(), pauseMs);
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

/** From ends in characters to ends in bytes of UTF-8. */
function byteEnds(text: string, ends: readonly number[]): number[] {
  let bytes = 0;
  return ends.map((end, index) => {
    bytes += Buffer.byteLength(text.slice(ends[index - 1] ?? 0, end));
    return bytes;
  });
}
