// What scripts print: from the bytes of a worker's log pipe to log lines with the id of the call that printed them.
// The worker marks what goes through sys.stdout and sys.stderr (programs/worker/script_output.py). The rest, from C
// code or subprocesses, is attributed to the call that runs.

import type { Readable } from "node:stream";

/** Longer lines are logged in pieces of this size. */
const maxLineBytes = 8 * 1024;
/** A call's output beyond this many bytes is counted, not logged. */
const maxOutputBytesPerCall = 1024 * 1024;
/** A mark with the id of a call. Checked, because a script may write anything after the marker. */
const markedId = /^(begin|end) ([\x21-\x7e]{1,128})$/;

const lineFeed = 10;

/** Takes one line; `callId` is undefined before the first call. */
export type OutputLine = (callId: string | undefined, line: string) => void;

/** Reads a log pipe to its end. */
export class OutputReader {
  readonly #marker: Buffer;
  readonly #onLine: OutputLine;
  /** The last call that the worker started: lines without marks are attributed to it. */
  #running: string | undefined;
  /** The call whose begin mark was read, until its end mark. */
  #marked: string | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #loggedBytes = 0;
  #droppedBytes = 0;
  /** The call that these bytes are counted for. */
  #countedCall: string | undefined;

  constructor(pipe: Readable, marker: string, onLine: OutputLine) {
    this.#marker = Buffer.from(`${marker} `);
    this.#onLine = onLine;
    pipe.on("data", (chunk: Buffer) => this.#take(chunk));
    pipe.on("end", () => this.#end());
    pipe.on("error", () => this.#end());
  }

  /** Lines without marks are attributed to this call from now on. */
  setRunning(callId: string): void {
    // Clients choose ids, and may choose the same one for each request.
    if (callId === this.#running && this.#marked === undefined) this.#startCount(undefined);
    this.#running = callId;
  }

  #take(chunk: Buffer): void {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    for (;;) {
      const at = data.indexOf(lineFeed);
      if (at === -1) break;
      this.#line(data.subarray(0, at));
      data = data.subarray(at + 1);
    }
    while (data.length > maxLineBytes) {
      this.#line(data.subarray(0, maxLineBytes));
      data = data.subarray(maxLineBytes);
    }
    // A copy: the rest must not keep the whole chunk alive.
    this.#rest = data.length > 0 ? Buffer.from(data) : Buffer.alloc(0);
  }

  #line(line: Buffer): void {
    if (line.length === 0) return;
    const { length } = this.#marker;
    if (line.length > length && line.subarray(0, length).equals(this.#marker)) {
      this.#mark(line.toString("latin1", length));
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

  #mark(text: string): void {
    const [, word, callId] = markedId.exec(text) ?? [];
    this.#marked = word === "begin" ? callId : undefined;
    if (word === "end") this.#startCount(undefined);
  }

  #startCount(call: string | undefined): void {
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
    this.#startCount(undefined);
  }
}
