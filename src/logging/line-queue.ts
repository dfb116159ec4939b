// Lines on their way to one target. A caller never waits: lines go into a bounded buffer and out in batches, one
// write at a time. What a slow or broken target costs is counted and said, in that log and through `onLoss`.

import type { Service } from "../lifecycle.ts";

/** What did not reach a target, and why. */
export interface Loss {
  readonly lines: number;
  readonly reason: string;
}

/** Where lines end up. Its methods are called one at a time. */
export interface Target {
  /** What messages call it: the path of a file, `standard output`. */
  readonly name: string;
  /** Write records without their line ends; `timesMs[n]` is when `lines[n]` was said. Must not reject. */
  write(lines: readonly string[], timesMs: readonly number[]): Promise<Loss | undefined>;
  /** Close what was open, and open it anew at once or with the next write. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

export interface LineQueueOptions {
  readonly target: Target;
  /** Makes the line that says, in this log, that lines are missing. */
  readonly lossLine: (text: string) => string;
  /** Told when lines begin to be lost, and every ten seconds while they are. */
  readonly onLoss: (text: string) => void;
}

/** Text waiting beyond this many characters is dropped, newest first. As much again may be on its way. */
const maxWaitingChars = 8 * 1024 * 1024;
/** How long lines wait for others to go out with. */
const gatherMs = 50;
/** So much text doesn't wait for more. */
const enoughChars = 256 * 1024;
/** How long `stop` waits for a slow target. */
const flushTimeoutMs = 2000;
const lossReportMs = 10_000;
/** A target that fails is tried again after 0.1 s, 0.2 s and so on, up to this. */
const longestPauseMs = 1000;
const tooSlow = "its reader is too slow";

export class LineQueue implements Service {
  readonly name: string;
  readonly #options: LineQueueOptions;
  #lines: string[] = [];
  #timesMs: number[] = [];
  #waitingChars = 0;
  #lost = 0;
  #lostInAll = 0;
  #lossReason = tooSlow;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #failures = 0;
  #isReopenAsked = false;
  #isGivenUp = false;
  #isStopped = false;

  constructor(options: LineQueueOptions) {
    this.#options = options;
    this.name = `log ${options.target.name}`;
  }

  /** Put a record in line. Never blocks, never throws. */
  readonly push = (line: string, timeMs: number): void => {
    if (this.#isStopped) return; // nobody is left to whom it could be said
    if (this.#waitingChars + line.length > maxWaitingChars) {
      // Lines that come while a broken target is left alone are lost for what broke it.
      this.#lose(1, this.#failures > 0 ? this.#lossReason : tooSlow);
      return;
    }
    this.#lines.push(line);
    this.#timesMs.push(timeMs);
    this.#waitingChars += line.length + 1;
    if (this.#writing !== undefined) return;
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#begin(), gatherMs);
    else if (this.#waitingChars > enoughChars && this.#failures === 0) this.#begin();
  };

  async start(): Promise<void> {}

  /** Open the target anew, behind what is on its way. */
  reopen(): void {
    this.#isReopenAsked = true;
    if (this.#writing === undefined) this.#begin();
  }

  /** Write what waits, or give up after two seconds. */
  async flush(): Promise<void> {
    if (this.#isStopped || this.#isGivenUp) return;
    if (this.#writing === undefined) this.#begin();
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

  /** Write what waits and close the target, or give up after two seconds. */
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

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writeAll().then((isDone) => {
      this.#writing = undefined;
      this.#failures = isDone ? 0 : this.#failures + 1;
      // Trying again at once would only lose the next lines too.
      if (!isDone && !this.#isStopped)
        this.#timer = setTimeout(
          () => this.#begin(),
          Math.min(longestPauseMs, gatherMs * 2 ** this.#failures),
        );
    });
  }

  /** Write until nothing waits; false when the target fails. */
  async #writeAll(): Promise<boolean> {
    const { target, lossLine } = this.#options;
    for (;;) {
      if (this.#isReopenAsked) {
        this.#isReopenAsked = false;
        await target.reopen();
      }
      const lost = this.#lost; // behind the lines that wait now, and before those that come
      const lines = this.#lines;
      const timesMs = this.#timesMs;
      this.#lines = [];
      this.#timesMs = [];
      this.#waitingChars = 0;
      const loss = lines.length === 0 ? undefined : await target.write(lines, timesMs);
      if (loss !== undefined) {
        this.#lose(loss.lines, loss.reason);
        return false;
      }
      if (lost > 0) {
        const line = lossLine(`${lost} lines were lost here: ${this.#lossReason}`);
        if ((await target.write([line], [Date.now()])) !== undefined) return false;
        this.#lost -= lost;
      }
      if (this.#lines.length === 0 && this.#lost === 0 && !this.#isReopenAsked) return true;
    }
  }

  #lose(lines: number, reason: string): void {
    this.#lost += lines;
    this.#lostInAll += lines;
    this.#lossReason = reason;
    const now = performance.now();
    if (lines === 0 || now - this.#reportedAt < lossReportMs) return;
    this.#reportedAt = now;
    this.#options.onLoss(`Lost ${this.#lostInAll} lines of ${this.#options.target.name} so far: ${reason}`);
  }
}
