// Removing archives that nobody needs any more. It fails no deployment, and takes nothing that one has just put in
// its place.

import { errorText } from "../errors.ts";
import type { Logger } from "../logging/logger.ts";
import type { Model } from "../model.ts";
import type { Archives } from "./archives.ts";

export interface RemovalsOptions {
  readonly archives: Archives;
  /** Does something while nobody deploys. */
  readonly locked: (action: () => Promise<void>) => Promise<void>;
  readonly log: Logger;
}

export class Removals {
  readonly #options: RemovalsOptions;
  /** Those behind everything else go one after the other. */
  #done: Promise<void> = Promise.resolve();

  constructor(options: RemovalsOptions) {
    this.#options = options;
  }

  /** Resolves when everything that was begun is removed. */
  get done(): Promise<void> {
    return this.#done;
  }

  /** `model` serves: begin to remove what served before, unless what is in its place by then has yet to load. */
  beginOlder({ name, version, key }: Model): void {
    const { archives, locked } = this.#options;
    const remove = async () => {
      if (!(await archives.hasOlder(name, version))) return;
      await locked(async () => {
        if (archives.find(name, version)?.key === key) await archives.removeOlder(name, version);
      });
    };
    this.#done = this.#done.then(() => this.#try(name, remove));
  }

  /** Remove all archives of a function; for those who have the lock. */
  async removeAll(name: string): Promise<void> {
    await this.#try(name, () => this.#options.archives.removeAll(name));
  }

  async #try(name: string, remove: () => Promise<void>): Promise<void> {
    try {
      await remove();
    } catch (error) {
      this.#options.log.warning(`Cannot remove old archives of endpoint ${name}: ${errorText(error)}`);
    }
  }
}
