// Log files: opened, appended to, reopened on request or when the path leads to another file (WatchedFileHandler).
// rotation.ts and time-rotation.ts rename them.

import { close, closeSync, constants, fstat, open, openSync, stat, write } from "node:fs";
import { promisify } from "node:util";
import { errnoOf, errorText } from "../../errors.ts";
import { pythonEscape } from "../format/safe-text.ts";
import type { FileSpec } from "../spec.ts";
import type { Target, Written } from "./line-buffer.ts";

const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(stat);
const statOpen = promisify(fstat);

const lineFeed = 0x0a;
// Without O_NONBLOCK, a write to a named pipe would block a thread of the pool until somebody reads it. Windows has no
// such flag.
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
  /** Whether the last write ended inside a line. */
  #isTorn = false;

  constructor(spec: FileSpec) {
    // Characters that the encoding doesn't have are escaped as by Python's `backslashreplace`.
    const others = spec.encoding === "ascii" ? /[^\0-\x7f]/gu : /[^\0-\xff]/gu;
    this.path = spec.path;
    this.encode =
      spec.encoding === "utf8"
        ? undefined
        : (line) => Buffer.from(`${line.replace(others, pythonEscape)}\n`, "latin1");
    this.#isDelayed = spec.isDelayed;
    this.#flags = flagsOf[spec.mode];
  }

  /** Check at start that it can be written. Throws the system's error; the next write tries again. */
  openNow(): void {
    if (this.#isDelayed) return;
    closeSync(openSync(this.path, this.#flags));
    this.#flags = flagsOf.a;
  }

  /** Bytes in the open file, as far as this program knows. */
  get size(): number {
    return this.#size;
  }

  /** False for /dev/null, a named pipe and the like. */
  get isRegular(): boolean {
    return this.#isRegular;
  }

  async open(): Promise<void> {
    if (this.#fd !== undefined) return;
    const fd = await openFile(this.path, this.#flags);
    this.#flags = flagsOf.a; // truncate once only: the file now has lines of this process
    this.#fd = fd;
    const stats = await statOpen(fd);
    this.#size = stats.size;
    this.#isRegular = stats.isFile();
  }

  /** Never fails: the next write opens the file again. */
  async close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) await closeFile(fd).catch(() => {});
  }

  /**
   * Close the file and open its path, which creates it when it is missing. Resolves with whether a line was written
   * to the old file only in part, so that only the rest would go to the new one.
   */
  async reopen(): Promise<boolean> {
    const isOpen = this.#fd !== undefined;
    await this.close();
    if (isOpen) await this.open().catch(() => {}); // the next write tries again, and reports why it fails
    const isLeft = this.#isTorn && this.#size === 0;
    this.#isTorn &&= !isLeft;
    return isLeft;
  }

  /** Whether the path still leads to the open file. */
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

const firstPauseMs = 5;
const longestPauseMs = 100;

/**
 * Write every byte, with pauses while a non-blocking descriptor has no room. Resolves with how many bytes were
 * written, and the system's error when that isn't all of them.
 */
export async function writeAll(
  fd: number,
  bytes: Buffer,
): Promise<{ readonly bytes: number; readonly fault: string | undefined }> {
  let at = 0;
  let pauseMs = firstPauseMs;
  while (at < bytes.length) {
    try {
      at += await writeSome(fd, bytes, at);
      pauseMs = firstPauseMs;
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN") return { bytes: at, fault: errorText(error) };
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      pauseMs = Math.min(longestPauseMs, pauseMs * 2);
    }
  }
  return { bytes: at, fault: undefined };
}

function writeSome(fd: number, bytes: Buffer, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, at, bytes.length - at, null, (error, written) =>
      error ? reject(error) : resolve(written),
    );
  });
}
