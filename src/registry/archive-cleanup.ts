// Removes archives that no endpoint needs any more: in the background, one function at a time, with the state file
// locked. A failed removal is logged and doesn't make a deployment fail.

import { errorText } from "../errors.ts";
import { withLock } from "../file-lock.ts";
import { createChain } from "../lifecycle.ts";
import type { Logger } from "../logging/logger.ts";
import type { Model } from "../model.ts";
import type { Archives } from "./archives.ts";
import { statePathOf } from "./state.ts";

export interface ArchiveCleanupOptions {
  readonly archives: Archives;
  readonly statePath: string;
  readonly log: Logger;
}

export class ArchiveCleanup {
  readonly #options: ArchiveCleanupOptions;
  readonly #inTurn = createChain();

  constructor(options: ArchiveCleanupOptions) {
    this.#options = options;
  }

  /** Resolves when every removal that was scheduled has ended. */
  get done(): Promise<void> {
    return this.#inTurn(async () => {});
  }

  /**
   * Schedule the removal of the archives that served before `model`. When another archive is in the place of `model`
   * by then, that one has yet to load, and everything stays.
   */
  scheduleOlder({ name, version, key }: Model): void {
    const { archives, statePath } = this.#options;
    const remove = async () => {
      if (!(await archives.hasOlder(name, version))) return;
      await withLock(statePathOf(statePath), async () => {
        if (archives.find(name, version)?.key === key) await archives.removeOlder(name, version);
      });
    };
    this.#inTurn(() => this.attempt(name, remove));
  }

  /** Remove all archives of a function. The caller has locked the state file. */
  async removeAll(name: string): Promise<void> {
    await this.attempt(name, () => this.#options.archives.removeAll(name));
  }

  /** Run `remove`, which removes something of endpoint `name`. A failure is a line in the log. */
  async attempt(name: string, remove: () => Promise<void>): Promise<void> {
    try {
      await remove();
    } catch (error) {
      this.#options.log.warning(`Cannot remove archives of endpoint ${name}: ${errorText(error)}`);
    }
  }
}
