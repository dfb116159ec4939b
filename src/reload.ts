// Polls files that may change while the server runs, by stat: file system events miss changes on network folders.
// Each part reads its own files again.

import { stat } from "node:fs/promises";
import { errorText } from "./errors.ts";
import { createChain } from "./lifecycle.ts";

/** A part of the program that can read its files again. */
export interface Reloadable {
  /** What it is, in messages: "password file". */
  readonly what: string;
  readonly files: readonly string[];
  /** Rejects when the files can't be used; the part then keeps what it has. */
  reload(): Promise<void>;
}

const pollMs = 500;
/** Read a file that keeps changing after this many polls. */
const maxPolls = 6;

interface Watched {
  readonly part: Reloadable;
  /** The signatures of its files when they were last read, and at the last poll. */
  read: string;
  polled: string;
  /** Consecutive polls that found the files changing. */
  polls: number;
}

/**
 * Reloads parts whose files have changed and were then unchanged for one poll, so that files that are still being
 * written aren't read. `report` takes the message of a reload that failed.
 */
export class Reloader {
  readonly name = "reloader";
  readonly #watched: Watched[];
  readonly #report: (message: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  /** Of two concurrent reloads, the one that read the older files could end last. */
  readonly #inOrder = createChain();

  constructor(parts: readonly Reloadable[], report: (message: string) => void) {
    this.#watched = parts.map((part) => ({ part, read: "", polled: "", polls: 0 }));
    this.#report = report;
  }

  async start(): Promise<void> {
    for (const watched of this.#watched) {
      watched.read = await signature(watched.part.files);
      watched.polled = watched.read;
    }
    this.#pollLater();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#inOrder(async () => {});
  }

  /** Reload every part now, whether its files have changed or not. */
  reload(): Promise<void> {
    return this.#inOrder(async () => {
      for (const watched of this.#watched) await this.#reloadPart(watched);
    });
  }

  #pollLater(): void {
    if (this.#isStopped || this.#watched.length === 0) return;
    this.#timer = setTimeout(() => {
      void this.#inOrder(() => this.#poll()).finally(() => this.#pollLater());
    }, pollMs);
  }

  async #poll(): Promise<void> {
    for (const watched of this.#watched) {
      const now = await signature(watched.part.files);
      const isUnchanged = now === watched.polled;
      watched.polled = now;
      if (now === watched.read) watched.polls = 0;
      else if (isUnchanged || ++watched.polls >= maxPolls) await this.#reloadPart(watched);
    }
  }

  async #reloadPart(watched: Watched): Promise<void> {
    const { part } = watched;
    watched.read = await signature(part.files); // before reading, so that the next poll sees a change during it
    watched.polls = 0;
    try {
      await part.reload();
    } catch (error) {
      this.#report(
        `Cannot read the ${part.what} again, so the earlier one stays in use: ${errorText(error)}`,
      );
    }
  }
}

/** Changes when one of the files is written, replaced, removed or created. */
async function signature(files: readonly string[]): Promise<string> {
  const all = files.map((file) =>
    stat(file, { bigint: true }).then(
      ({ ino, size, mtimeNs, ctimeNs }) => [ino, size, mtimeNs, ctimeNs].join(","),
      () => "absent",
    ),
  );
  return (await Promise.all(all)).join(" ");
}
