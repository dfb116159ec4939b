// Writes log lines to a file descriptor without ever waiting for it: one write at a time, the rest in a bounded
// buffer. A reader that stands still costs lines, which are counted and said, never a request.

import { write } from "node:fs";
import { errnoOf } from "../errors.ts";
import type { Service } from "../lifecycle.ts";
import type { WriteLine } from "./logger.ts";

/** Text waiting beyond this many characters is dropped, newest first. */
const maxWaitingChars = 8 * 1024 * 1024;
/** How long `stop` waits for a slow reader. */
const flushTimeoutMs = 2000;
const retryMs = 10;

export class LogWriter implements Service {
  readonly name = "log";
  readonly #fd: number;
  #waiting: string[] = [];
  #waitingChars = 0;
  #dropped = 0;
  #isWriting = false;
  #onIdle: (() => void) | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  readonly write: WriteLine = (line) => {
    if (this.#waitingChars > maxWaitingChars) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(line, "\n");
    this.#waitingChars += line.length + 1;
    if (!this.#isWriting) {
      this.#isWriting = true;
      // After the current turn, so that the lines of one turn go out together.
      setImmediate(() => this.#writeWaiting());
    }
  };

  async start(): Promise<void> {}

  /** Write what waits, or give up after two seconds. */
  async stop(): Promise<void> {
    if (!this.#isWriting) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, flushTimeoutMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #writeWaiting(): void {
    if (this.#dropped > 0) {
      this.#waiting.push(`... ${this.#dropped} log lines dropped: the reader of the log is too slow\n`);
      this.#dropped = 0;
    }
    const text = Buffer.from(this.#waiting.join(""));
    this.#waiting = [];
    this.#waitingChars = 0;
    if (text.length === 0) {
      this.#isWriting = false;
      this.#onIdle?.();
      return;
    }
    this.#writeAll(text);
  }

  #writeAll(text: Buffer): void {
    write(this.#fd, text, 0, text.length, null, (error, written) => {
      if (error && errnoOf(error) === "EAGAIN") {
        setTimeout(() => this.#writeAll(text), retryMs);
      } else if (error) {
        // Nobody reads any more, or the disk is full: there is no place left to say so.
        this.#writeWaiting();
      } else if (written < text.length) {
        this.#writeAll(text.subarray(written));
      } else {
        this.#writeWaiting();
      }
    });
  }
}
