// Files as targets: opened, written, opened anew on request or when the file at the path is another one
// (WatchedFileHandler). What rotates them is size-rotation.ts's and time-rotation.ts's affair.

import { close, closeSync, constants, fstat, open, openSync, stat } from "node:fs";
import { promisify } from "node:util";
import { errorText } from "../errors.ts";
import type { FileSpec } from "./handler-specs.ts";
import type { Target, Written } from "./line-queue.ts";
import { writeAll } from "./write-all.ts";

const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(stat);
const statOpen = promisify(fstat);

const lineFeed = 0x0a;
// A pipe with a name must not hold up a thread until somebody reads it. Windows has no such flag.
const always = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | (constants.O_NONBLOCK ?? 0);
const flagsOf = { a: always, w: always | constants.O_TRUNC, x: always | constants.O_EXCL } as const;

/** A file that is open, or will be with the next write. Its methods are called one at a time. */
export class LogFile {
  readonly path: string;
  /** Undefined for UTF-8. */
  readonly encode: ((line: string) => Buffer) | undefined;
  readonly #isDelayed: boolean;
  #fd: number | undefined;
  #flags: number;
  #size = 0;
  #isRegular = true;
  /** The last write ended inside of a line. */
  #isTorn = false;

  constructor(spec: FileSpec) {
    const { encoding } = spec;
    this.path = spec.path;
    this.encode =
      encoding === "utf8" ? undefined : (line) => Buffer.from(`${escapeOthers(line, encoding)}\n`, "latin1");
    this.#isDelayed = spec.isDelayed;
    this.#flags = flagsOf[spec.mode];
  }

  /** Make sure at start that it can be written. Throws the system's error; the next write tries again. */
  openNow(): void {
    if (this.#isDelayed) return;
    closeSync(openSync(this.path, this.#flags));
    this.#flags = flagsOf.a;
  }

  /** Bytes in the open file, as far as this program knows. */
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
  }

  /** A failure to close is no reason to lose lines: the next write opens the file again. */
  async close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) await closeFile(fd).catch(() => {});
  }

  /**
   * Close the file and open what has its path now, which is made when it isn't there. Whether half a line that was
   * written stands in another file than the rest would.
   */
  async reopen(): Promise<boolean> {
    const isOpen = this.#fd !== undefined;
    await this.close();
    if (isOpen) await this.open().catch(() => {}); // the next write tries again, and says why it fails
    const isLeft = this.#isTorn && this.#size === 0;
    this.#isTorn &&= !isLeft;
    return isLeft;
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

  /** Write at the end of the file. */
  async append(bytes: Buffer): Promise<Written> {
    try {
      await this.open();
    } catch (error) {
      return { bytes: 0, lost: 0, fault: errorText(error) };
    }
    const written = await writeAll(this.#fd ?? -1, bytes);
    this.#size += written.bytes;
    if (written.bytes > 0) this.#isTorn = bytes[written.bytes - 1] !== lineFeed;
    return { ...written, lost: 0 };
  }
}

/** FileHandler's target, or with `isWatched` WatchedFileHandler's. */
export function createFileTarget(file: LogFile, isWatched: boolean): Target {
  return {
    name: file.path,
    ...(file.encode && { encode: file.encode }),
    write: async ({ bytes }, from) => {
      if (isWatched && !(await file.isInPlace())) await file.close();
      return file.append(bytes.subarray(from));
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
