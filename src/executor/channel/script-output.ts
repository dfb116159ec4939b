// What scripts print: bytes of a worker's log pipe to log lines with the call that they belong to. The worker
// marks what goes through sys.stdout and sys.stderr (programs/worker/script_output.py); the rest, from C code or subprocesses,
// counts to the call that runs.

import type { Readable } from "node:stream";

/** Longer lines are logged in pieces of this size. */
const maxLineBytes = 8 * 1024;
/** A call's output beyond this many bytes is counted, not logged. */
export const maxOutputBytesPerCall = 1024 * 1024;

/** Lines with our own mark may be longer: a function to evaluate, at most 8192 characters, as JSON in ASCII. */
const maxMarkedBytes = 128 * 1024;

const lineFeed = 10;

/** Takes one line that was printed during call `number`. */
export type OutputLine = (number: number, line: string) => void;
/** Takes the text of the function that call `number` evaluates. */
export type FunctionText = (number: number, text: string) => void;

/** Reads a log pipe to its end. */
export class OutputReader {
  readonly #marker: Buffer;
  readonly #onLine: OutputLine;
  readonly #onFunction: FunctionText;
  /** The last call that was sent to the worker: whose output unmarked lines are. */
  #running = 0;
  /** The call whose begin mark was read, until its end mark. */
  #marked: number | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #loggedBytes = 0;
  #droppedBytes = 0;
  #countedCall = 0;

  constructor(pipe: Readable, marker: string, onLine: OutputLine, onFunction: FunctionText = () => {}) {
    this.#marker = Buffer.from(`${marker} `);
    this.#onLine = onLine;
    this.#onFunction = onFunction;
    pipe.on("data", (chunk: Buffer) => this.#take(chunk));
    pipe.on("end", () => this.#end());
    pipe.on("error", () => this.#end());
  }

  /** Unmarked lines belong to call `number` from now on. */
  setRunning(number: number): void {
    this.#running = number;
  }

  #take(chunk: Buffer): void {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    for (;;) {
      const at = data.indexOf(lineFeed);
      if (at === -1) break;
      this.#line(data.subarray(0, at));
      data = data.subarray(at + 1);
    }
    while (data.length > (this.#isMarked(data) ? maxMarkedBytes : maxLineBytes)) {
      this.#line(data.subarray(0, maxLineBytes));
      data = data.subarray(maxLineBytes);
    }
    // A copy: the rest must not keep the whole chunk alive.
    this.#rest = data.length > 0 ? Buffer.from(data) : Buffer.alloc(0);
  }

  #line(line: Buffer): void {
    if (line.length === 0) return;
    if (this.#isMarked(line)) {
      const marked = line.toString("latin1", this.#marker.length);
      const [word, number] = marked.split(" ", 2);
      if (word === "function") {
        this.#tellFunction(Number(number), marked.slice(marked.indexOf(" ", word.length + 1) + 1));
        return;
      }
      this.#marked = word === "begin" ? Number(number) : undefined;
      if (word === "end") this.#startCount(0);
      return;
    }
    const call = this.#marked ?? this.#running;
    if (call !== this.#countedCall) this.#startCount(call);
    if (this.#loggedBytes >= maxOutputBytesPerCall) {
      this.#droppedBytes += line.length + 1;
      return;
    }
    this.#loggedBytes += line.length + 1;
    for (let at = 0; at < line.length; at += maxLineBytes) {
      this.#onLine(call, line.toString("utf8", at, Math.min(line.length, at + maxLineBytes)).trimEnd());
    }
  }

  #isMarked(line: Buffer): boolean {
    const { length } = this.#marker;
    return line.length > length && line.subarray(0, length).equals(this.#marker);
  }

  #tellFunction(call: number, json: string): void {
    try {
      this.#onFunction(call, String(JSON.parse(json)));
    } catch {
      // a script has written what looks like a line of ours
    }
  }

  #startCount(call: number): void {
    if (this.#droppedBytes > 0) {
      this.#onLine(this.#countedCall, `... ${this.#droppedBytes} further bytes of output are not logged`);
    }
    this.#countedCall = call;
    this.#loggedBytes = 0;
    this.#droppedBytes = 0;
  }

  #end(): void {
    if (this.#rest.length > 0) this.#line(this.#rest);
    this.#rest = Buffer.alloc(0);
    this.#startCount(0);
  }
}
