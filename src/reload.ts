// Files that may change while the server runs: looked at every half second, by their stat alone, as a watch by the
// system misses changes on network folders. What reading one anew means is its owner's affair.

import { stat } from "node:fs/promises";
import { errorText } from "./errors.ts";

/** A part of the program that can read its files again. */
export interface Reloadable {
  /** What it is, in messages: "password file". */
  readonly what: string;
  readonly files: readonly string[];
  /** Throws when the files are no good; then the part goes on with what it has. */
  reload(): Promise<void>;
}

const lookMs = 500;
/** Files that never rest are read nevertheless after so many looks. */
const maxLooks = 6;

interface Watched {
  readonly part: Reloadable;
  /** What its files were like when they were last read, and at the last look. */
  read: string;
  seen: string;
  looks: number;
}

/**
 * Reloads parts when their files have changed and then rested for one look: who writes two files, or one slowly, is
 * not read in the middle. `report` takes what went wrong.
 */
export class Reloader {
  readonly name = "reloader";
  readonly #watched: Watched[];
  readonly #report: (message: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  /** One reload after the other: of two at once, the older could come last. */
  #last: Promise<void> = Promise.resolve();

  constructor(parts: readonly Reloadable[], report: (message: string) => void) {
    this.#watched = parts.map((part) => ({ part, read: "", seen: "", looks: 0 }));
    this.#report = report;
  }

  async start(): Promise<void> {
    for (const watched of this.#watched) {
      watched.read = await signature(watched.part.files);
      watched.seen = watched.read;
    }
    this.#lookLater();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#last;
  }

  /** Reload every part now, whether its files have changed or not. */
  reload(): Promise<void> {
    this.#last = this.#last.then(async () => {
      for (const watched of this.#watched) await this.#reloadPart(watched);
    });
    return this.#last;
  }

  #lookLater(): void {
    if (this.#isStopped || this.#watched.length === 0) return;
    this.#timer = setTimeout(() => {
      this.#last = this.#last.then(() => this.#look()).finally(() => this.#lookLater());
    }, lookMs);
  }

  async #look(): Promise<void> {
    for (const watched of this.#watched) {
      const now = await signature(watched.part.files);
      const isResting = now === watched.seen;
      watched.seen = now;
      if (now === watched.read) watched.looks = 0;
      else if (isResting || ++watched.looks >= maxLooks) await this.#reloadPart(watched);
    }
  }

  async #reloadPart(watched: Watched): Promise<void> {
    const { part } = watched;
    watched.read = await signature(part.files); // before reading: what changes meanwhile is seen at the next look
    watched.looks = 0;
    try {
      await part.reload();
    } catch (error) {
      this.#report(
        `Cannot read the ${part.what} again, so the earlier one stays in use: ${errorText(error)}`,
      );
    }
  }
}

/** Changes when one of the files is written, replaced, taken away or comes. */
async function signature(files: readonly string[]): Promise<string> {
  const all = files.map((file) =>
    stat(file, { bigint: true }).then(
      ({ ino, size, mtimeNs, ctimeNs }) => [ino, size, mtimeNs, ctimeNs].join(","),
      () => "absent",
    ),
  );
  return (await Promise.all(all)).join(" ");
}
