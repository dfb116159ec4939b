// The start of a worker's conversation: `hello` from a fresh interpreter, `ready` from the worker program. worker.ts
// sends `start` between the two.

import { TabPyError } from "../errors.ts";
import { within } from "../lifecycle.ts";
import type { HelloHeader, ReadyHeader } from "./channel/messages.ts";

/** How long an interpreter may take to write `hello`, and then `ready`. */
const timeoutMs = 30_000;
/** How many characters of the output of an interpreter that doesn't start are quoted. */
const quotedOutput = 500;

export class Handshake {
  readonly #hello = Promise.withResolvers<HelloHeader>();
  readonly #ready = Promise.withResolvers<ReadyHeader>();
  #expected: "hello" | "ready" | undefined = "hello";
  #output = "";

  constructor() {
    this.#hello.promise.catch(() => {}); // whoever waits for them reports it
    this.#ready.promise.catch(() => {});
  }

  /** Take a message. Returns whether it was its turn. */
  take(header: HelloHeader | ReadyHeader): boolean {
    if (header.kind !== this.#expected) return false;
    this.#expected = header.kind === "hello" ? "ready" : undefined;
    if (header.kind === "hello") this.#hello.resolve(header);
    else this.#ready.resolve(header);
    return true;
  }

  /** Keep a line that the interpreter printed. Returns whether it was kept. */
  printed(line: string): boolean {
    if (this.#output.length >= quotedOutput) return false;
    this.#output += `${line}\n`;
    return true;
  }

  /** The process has ended. */
  ended(how: string): void {
    const output = this.#output.trim();
    this.fail(`it ended with ${how}${output === "" ? "" : `: ${output}`}`);
  }

  fail(reason: string): void {
    const failure = new TabPyError("unavailable", reason);
    this.#hello.reject(failure);
    this.#ready.reject(failure);
  }

  /** Throws TabPyError `unavailable` when it doesn't arrive. */
  hello(): Promise<HelloHeader> {
    return within(this.#hello.promise, timeoutMs, `it did not send hello within ${timeoutMs / 1000} s`);
  }

  /** Throws TabPyError `unavailable` when it doesn't arrive. */
  ready(): Promise<ReadyHeader> {
    return within(this.#ready.promise, timeoutMs, `it was not ready within ${timeoutMs / 1000} s`);
  }
}
