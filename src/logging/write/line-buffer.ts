// Lines that wait for one target. Callers never wait: lines become bytes in a bounded buffer, and one write at a time
// takes them out. As bytes, lines that wait for a long time cost nothing but memory. Lines that a slow or failing
// target loses are counted and logged: in that log itself, and elsewhere through `onFault`. (sonic-boom, which does much
// of this, continues in the middle of a line after a failed write and a reopen, and doesn't report what it drops.)

import { within } from "../../lifecycle.ts";

/** Consecutive records. */
export interface Batch {
  /** Each record with its line end. */
  readonly bytes: Buffer;
  /** Where each record ends in `bytes`. */
  readonly ends: readonly number[];
  /** When each record was created, in milliseconds since 1970. */
  readonly timesMs: readonly number[];
}

/** How far a write got. */
export interface Written {
  /** Bytes that need not be written again. */
  readonly bytes: number;
  /** Records among them that could not be written and never will be. */
  readonly lost: number;
  /** Why it stopped before the end. */
  readonly fault: string | undefined;
}

/** Where lines go. Its methods are called one at a time. */
export interface Target {
  /** Its name in messages: the path of a file, `standard output`. */
  readonly name: string;
  /** A line and its end as bytes; by default UTF-8 and a line feed. */
  readonly encode?: (line: string) => Buffer;
  /** Write a batch from byte `from` on. Must not reject. What isn't written is passed again. */
  write(batch: Batch, from: number): Promise<Written>;
  /** Reopen by name. Resolves with whether a partly written record must be written again from its start. */
  reopen(): Promise<boolean>;
  close(): Promise<void>;
}

/** A batch that still grows. All text is encoded at once; lines of targets with an encoding are bytes already. */
interface OpenBatch {
  text: string;
  readonly pieces: Buffer[];
  /** Where each record ends in `text`, or in `pieces`. */
  readonly ends: number[];
  readonly timesMs: number[];
}

export interface LineBufferOptions {
  readonly target: Target;
  /** Formats the line that tells, in this log, that lines are missing. */
  readonly lossLine: (text: string) => string;
  /** Called when the target fails or lines are lost, at most every ten seconds. */
  readonly onFault: (text: string) => void;
}

/** Further lines are dropped while this many bytes wait. */
const maxWaitingBytes = 8 * 1024 * 1024;
/** A batch of this size is written without waiting for `write`. */
const batchLength = 64 * 1024;
/** How long `flush` waits for a slow target. */
const flushTimeoutMs = 2000;
const reportPauseMs = 10_000;
/** A target that fails is retried after 0.1 s, 0.2 s and so on, up to a second. */
const firstPauseMs = 100;
const longestPauseMs = 1000;
const tooSlow = "its reader is too slow";

export class LineBuffer {
  readonly #options: LineBufferOptions;
  readonly #batches: Batch[] = [];
  /** Where the first batch continues. */
  #from = 0;
  #open: OpenBatch | undefined;
  #waitingBytes = 0;
  #lost = 0;
  #lostInTotal = 0;
  #fault: string | undefined;
  #failures = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #retryTimer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #isReopenRequested = false;
  #isGivenUp = false;
  #isStopped = false;

  constructor(options: LineBufferOptions) {
    this.#options = options;
  }

  /** Whether the next line will be kept; if not, `drop` it without formatting it. */
  get hasRoom(): boolean {
    return this.#waitingBytes < maxWaitingBytes;
  }

  /** Count a line for which there is no room. */
  drop(): void {
    if (this.#isStopped) return; // no later line could report it
    this.#lost++;
    this.#lostInTotal++;
    this.#report();
  }

  /** Append a line; a later `write` takes it out, or this call when a whole batch waits. Never blocks, never throws. */
  push(line: string, timeMs: number): void {
    if (this.#isStopped) return;
    if (!this.hasRoom) this.drop();
    else this.#append(line, timeMs);
    if (this.#batches.length > 0) this.write();
  }

  /** Start to write what waits, unless a write is running or a failed one waits for its retry. */
  write(): void {
    if (this.#waitingBytes > 0 && this.#failures === 0) this.#startWriting();
  }

  /** Reopen the target after the write that is running. */
  reopen(): void {
    this.#isReopenRequested = true;
    this.#startWriting();
  }

  /** Write what waits, or give up: after two seconds, and at once when the target fails. */
  async flush(): Promise<void> {
    if (this.#isStopped || this.#isGivenUp) return;
    this.#startWriting();
    await within(this.#drained(), flushTimeoutMs, tooSlow).catch(() => {
      this.#isGivenUp = true;
    });
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

  #append(line: string, timeMs: number): void {
    this.#open ??= { text: "", pieces: [], ends: [], timesMs: [] };
    const open = this.#open;
    const piece = this.#options.target.encode?.(line);
    let length = line.length + 1;
    if (piece === undefined) {
      open.text += line;
      open.text += "\n";
    } else {
      open.pieces.push(piece);
      length = piece.length;
    }
    const end = (open.ends.at(-1) ?? 0) + length;
    open.ends.push(end);
    open.timesMs.push(timeMs);
    this.#waitingBytes += length;
    if (end > batchLength) this.#seal();
  }

  #seal(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    const { text, pieces, ends, timesMs } = open;
    const bytes = pieces.length > 0 ? Buffer.concat(pieces) : Buffer.from(text);
    const isOneByteEach = pieces.length > 0 || bytes.length === text.length;
    this.#batches.push({ bytes, ends: isOneByteEach ? ends : byteEnds(text, ends), timesMs });
    // Until now, each character counted as one byte.
    this.#waitingBytes += bytes.length - (ends.at(-1) ?? 0);
  }

  #startWriting(): void {
    if (this.#writing !== undefined) return;
    clearTimeout(this.#retryTimer);
    this.#writing = this.#writeAll().then((fault) => {
      this.#writing = undefined;
      this.#fault = fault;
      this.#failures = fault === undefined ? 0 : this.#failures + 1;
      if (fault === undefined || this.#isStopped) return;
      const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#failures - 1));
      this.#retryTimer = setTimeout(() => this.#startWriting(), pauseMs);
      this.#report();
    });
  }

  /** Write until nothing waits; the reason when the target fails before that. */
  async #writeAll(): Promise<string | undefined> {
    const { target, lossLine } = this.#options;
    for (;;) {
      if (this.#isReopenRequested) {
        this.#isReopenRequested = false;
        if (await target.reopen()) this.#rewindRecord();
      }
      const lost = this.#lost; // they are missing after the lines that wait now
      this.#seal();
      for (let left = this.#batches.length; left > 0; left--) {
        const fault = await this.#writeFirst();
        if (fault !== undefined) return fault;
      }
      if (lost > 0) {
        this.#lost -= lost;
        const reason = this.#fault ?? tooSlow;
        this.#append(lossLine(`${lost} lines were lost here: ${reason}`), Date.now());
      }
      const isEmpty = this.#open === undefined && this.#batches.length === 0;
      if (isEmpty && this.#lost === 0 && !this.#isReopenRequested) return undefined;
    }
  }

  async #writeFirst(): Promise<string | undefined> {
    const [batch] = this.#batches;
    if (batch === undefined) return undefined;
    const { bytes, lost, fault } = await this.#options.target.write(batch, this.#from);
    this.#from += bytes;
    this.#waitingBytes -= bytes;
    this.#lost += lost;
    this.#lostInTotal += lost;
    if (this.#from < batch.bytes.length) return fault ?? "nothing more was written";
    this.#batches.shift();
    this.#from = 0;
    if (lost > 0) {
      this.#fault = fault;
      this.#report();
    }
    return undefined;
  }

  /** Go back to the start of a partly written record. */
  #rewindRecord(): void {
    const start = this.#batches[0]?.ends.findLast((end) => end <= this.#from) ?? 0;
    this.#waitingBytes += this.#from - start;
    this.#from = start;
  }

  #report(): void {
    const now = performance.now();
    if (now - this.#reportedAt < reportPauseMs) return;
    this.#reportedAt = now;
    const reason = this.#fault ?? tooSlow;
    const lost = this.#lostInTotal === 0 ? "" : `, ${this.#lostInTotal} lines are lost so far`;
    this.#options.onFault(`Cannot write the log ${this.#options.target.name}: ${reason}${lost}`);
  }
}

/** Converts ends in characters to ends in bytes of UTF-8. */
function byteEnds(text: string, ends: readonly number[]): number[] {
  let bytes = 0;
  return ends.map((end, index) => {
    bytes += Buffer.byteLength(text.slice(ends[index - 1] ?? 0, end));
    return bytes;
  });
}
