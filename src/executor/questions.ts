// The questions of one worker during its calls: which archive serves a name (`resolve`). The worker program asks one
// question at a time and waits for its reply; a script that writes to the channel itself may not flood the server.

import type { Functions } from "./executor.ts";

/** Questions that are answered at once; then one a millisecond. The worker waits longer for the others. */
const burst = 1000;
const questionMs = 1;
/** Answers that may wait because the worker doesn't read them. */
const maxUnread = 4;
/** Bytes of a name; the worker program doesn't ask for longer ones. */
const maxNameBytes = 64 * 1024;

export interface QuestionsOptions {
  readonly resolve: Functions["resolve"];
  readonly answer: (id: number, body: Buffer) => void;
  /** Whether the worker has read what it was sent, but for what fits into the channel. */
  readonly isRead: () => boolean;
}

export class Questions {
  readonly #options: QuestionsOptions;
  #inChunk = 0;
  #unread = 0;
  #left = burst;
  #countedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  /** Further bytes were read from the channel: what was answered before can have reached the worker. */
  startChunk(): void {
    this.#inChunk = 0;
  }

  /** Answer a question of call `id`, now or later. Returns what is wrong with it, or undefined. */
  take(id: number, name: Buffer | undefined, runningId: number | undefined): string | undefined {
    if (id !== runningId || name === undefined) return `a message "resolve" of call ${id}, out of turn,`;
    if (name.length > maxNameBytes) return `a question about a name of ${name.length} bytes`;
    this.#unread = this.#options.isRead() ? 0 : this.#unread + 1;
    if (this.#timer !== undefined || ++this.#inChunk > 1 || this.#unread > maxUnread)
      return "a question before the last one was answered";
    const waitMs = this.#waitMs();
    if (waitMs === 0) this.#answer(id, name);
    else {
      const kept = Buffer.from(name); // the chunk that it lies in is used again
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#answer(id, kept);
      }, waitMs);
    }
    return undefined;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Milliseconds until the next question may be answered. */
  #waitMs(): number {
    const now = performance.now();
    this.#left = Math.min(burst, this.#left + (now - this.#countedAtMs) / questionMs) - 1;
    this.#countedAtMs = now;
    return this.#left >= 0 ? 0 : Math.ceil(-this.#left * questionMs);
  }

  #answer(id: number, name: Buffer): void {
    const resolution = this.#options.resolve(name.toString());
    this.#options.answer(id, Buffer.from(JSON.stringify(resolution)));
  }
}
