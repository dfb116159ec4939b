// Files as targets: opened, written in batches, opened anew on request or when the file at the path is another one
// (WatchedFileHandler). What rotates them is size-rotation.ts's and time-rotation.ts's affair.

import { close, closeSync, constants, fstat, open, openSync, stat } from "node:fs";
import { promisify } from "node:util";
import { errorText } from "../errors.ts";
import type { FileSpec } from "./handler-specs.ts";
import type { Loss, Target } from "./line-queue.ts";
import { writeAll } from "./write-all.ts";

const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(stat);
const statOpen = promisify(fstat);

const lineFeed = 10;
// A pipe with a name must not hold up a thread until somebody reads it. Windows has no such flag.
const always = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | (constants.O_NONBLOCK ?? 0);
const flagsOf = { a: always, w: always | constants.O_TRUNC, x: always | constants.O_EXCL } as const;

/** A file that is open, or will be with the next write. Its methods are called one at a time. */
export class LogFile {
  readonly path: string;
  readonly #spec: FileSpec;
  #fd: number | undefined;
  #flags: number;
  /** Bytes in the file, as far as this program knows. */
  #size = 0;
  #isRegular = true;
  /** A write that failed left half a line. */
  #isTorn = false;

  constructor(spec: FileSpec) {
    this.path = spec.path;
    this.#spec = spec;
    this.#flags = flagsOf[spec.mode];
  }

  /** Make sure at start that it can be written. Throws the system's error; the next write tries again. */
  openNow(): void {
    if (this.#spec.isDelayed) return;
    closeSync(openSync(this.path, this.#flags));
    this.#flags = flagsOf.a;
  }

  /** Bytes in the open file. */
  get size(): number {
    return this.#size;
  }

  /** Not so for /dev/null, a pipe with a name and the like. */
  get isRegular(): boolean {
    return this.#isRegular;
  }

  async open(): Promise<void> {
    if (this.#fd !== undefined) return;
    const fd = await openFile(this.path, this.#flags);
    this.#flags = flagsOf.a; // what this program has written is not to be lost when it opens the file again
    this.#fd = fd;
    const stats = await statOpen(fd);
    this.#size = stats.size;
    this.#isRegular = stats.isFile();
    this.#isTorn &&= stats.size > 0;
  }

  /** A failure to close is no reason to lose lines: the next write opens the file again. */
  async close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) await closeFile(fd).catch(() => {});
  }

  /** Close the file and open what has its path now, which is made when it isn't there. */
  async reopen(): Promise<void> {
    if (this.#fd === undefined) return;
    await this.close();
    await this.open().catch(() => {}); // the next write tries again, and says why it fails
  }

  /** Whether the file at the path is still the one that is open. */
  async isInPlace(): Promise<boolean> {
    if (this.#fd === undefined) return false;
    const [there, opened] = await Promise.all([
      statFile(this.path).catch(() => undefined),
      statOpen(this.#fd),
    ]);
    return there !== undefined && there.dev === opened.dev && there.ino === opened.ino;
  }

  /** Whether lines certainly don't take the file to `bytes`: costs less than to count them one by one. */
  isBelow(bytes: number, lines: readonly string[]): boolean {
    // No character takes more than three bytes in UTF-8, an escaped one no more than ten.
    const factor = this.#spec.encoding === "utf8" ? 3 : 10;
    let chars = 0;
    for (const line of lines) chars += line.length + 1;
    return this.#size + chars * factor < bytes;
  }

  /** Bytes that a line takes in the file, with its end. */
  sizeOf(line: string): number {
    return this.#spec.encoding === "utf8" ? Buffer.byteLength(line) + 1 : this.#bytesOf([line]).length;
  }

  /** Write lines at the end of the file; those that could not be written, if any. */
  async append(lines: readonly string[]): Promise<Loss | undefined> {
    if (lines.length === 0) return undefined;
    let written = 0;
    let bytes = Buffer.alloc(0);
    const onWritten = (count: number) => {
      this.#size += count;
      written += count;
    };
    try {
      await this.open();
      bytes = this.#bytesOf(lines);
      const start = this.#isTorn ? Buffer.from("\n") : Buffer.alloc(0);
      await writeAll(this.#fd ?? -1, start, (count) => {
        this.#size += count;
        this.#isTorn = false;
      });
      await writeAll(this.#fd ?? -1, bytes, onWritten);
      return undefined;
    } catch (error) {
      if (written > 0) this.#isTorn = bytes[written - 1] !== lineFeed;
      return { lines: this.#countLost(lines, written), reason: errorText(error) };
    }
  }

  #bytesOf(lines: readonly string[]): Buffer<ArrayBuffer> {
    const text = `${lines.join("\n")}\n`;
    const { encoding } = this.#spec;
    return encoding === "utf8" ? Buffer.from(text) : Buffer.from(escapeOthers(text, encoding), "latin1");
  }

  #countLost(lines: readonly string[], writtenBytes: number): number {
    let left = writtenBytes;
    const firstLost = lines.findIndex((line) => {
      left -= this.sizeOf(line);
      return left < 0;
    });
    return firstLost === -1 ? 0 : lines.length - firstLost;
  }
}

/** FileHandler's target, or with `isWatched` WatchedFileHandler's. */
export function createFileTarget(file: LogFile, isWatched: boolean): Target {
  return {
    name: file.path,
    write: async (lines) => {
      if (isWatched && !(await file.isInPlace())) await file.close();
      return file.append(lines);
    },
    reopen: () => file.reopen(),
    close: () => file.close(),
  };
}

/** What the encoding can't hold, as Python's `backslashreplace` writes it. */
function escapeOthers(text: string, encoding: "ascii" | "latin1"): string {
  const others = encoding === "ascii" ? /[^\0-\x7f]/gu : /[^\0-\xff]/gu;
  return text.replace(others, (char) => {
    const code = char.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
}
