// The endpoints as state.ini has them, and every change of that file. A change locks the file against other processes
// and is applied to its current contents. What another process has written is read: a change that one server has
// acknowledged is seen by every later request of every server on the folder. To make that cheap, a server may rely on a
// look at the file for `leaseMs`, and a change is acknowledged only when it is older than that.

import { errorText, TabPyError } from "../errors.ts";
import { withLock } from "../file-lock.ts";
import type { IniFile } from "../ini.ts";
import type { Logger } from "../logging/logger.ts";
import type { Endpoint, Endpoints } from "./endpoint.ts";
import {
  endpointsOf,
  readState,
  setEndpoint,
  stateStamp,
  stateStampLater,
  statePathOf,
  writeState,
} from "./state.ts";
import { storing } from "./storage.ts";

const leaseMs = 2;

export interface StoreOptions {
  readonly statePath: string;
  /**
   * `endpoints` have replaced `before`. `own` is the one name that this process has changed; undefined when the file was
   * changed by another process, in any way.
   */
  readonly onChange: (endpoints: Endpoints, before: Endpoints, own: string | undefined) => void;
  readonly log: Logger;
}

/** Both are called with the file still locked. */
export interface ChangeHooks {
  /** The file was written. Doesn't reject. */
  readonly after?: () => Promise<void>;
  /** `edit` has succeeded, but the file couldn't be written. */
  readonly undo?: () => Promise<void>;
}

export class Store {
  readonly #options: StoreOptions;
  #endpoints: Endpoints;
  #stamp: string | undefined;
  #isChanging = false;
  /** When `look` last looked, by `performance.now()`. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** The last fault of the state file, so that it is logged once. */
  #loggedFault = "";
  /** The version of the file that has this fault: it isn't read again. */
  #faultyStamp: string | undefined;

  /** Reads the state file. Throws TabPyError `config` with the faulty line; the file stays as it is. */
  constructor(options: StoreOptions) {
    this.#options = options;
    this.#stamp = stateStamp(options.statePath);
    this.#endpoints = endpointsOf(readState(options.statePath));
  }

  get endpoints(): Endpoints {
    return this.#endpoints;
  }

  /**
   * Set `name` to the endpoint that `edit` makes from the file's contents, or remove it for undefined. The file is
   * written durably, then `onChange` and `after` are called.
   *
   * @throws what `edit` throws; then nothing has changed. TabPyError `unavailable` when the file was deleted, that or
   *   `disk-full` when it can't be written; then `undo` was called, and nothing has changed either.
   */
  async change<T extends Endpoint | undefined>(
    name: string,
    edit: (endpoints: Endpoints) => T | Promise<T>,
    { after, undo }: ChangeHooks = {},
  ): Promise<T> {
    const { statePath } = this.#options;
    const path = statePathOf(statePath);
    let writtenAt = 0;
    const change = async () => {
      this.#isChanging = true;
      try {
        const state = this.#read();
        const endpoints = new Map(this.#endpoints);
        const endpoint = await edit(endpoints);
        setEndpoint(state, name, endpoint);
        if (endpoint === undefined) endpoints.delete(name);
        else endpoints.set(name, endpoint);
        await this.#write(state, endpoints, undo);
        writtenAt = performance.now();
        this.#adopt(stateStamp(statePath), endpoints, name);
        await after?.();
        return endpoint;
      } finally {
        this.#isChanging = false;
      }
    };
    const endpoint = await storing(path, () => withLock(path, change));
    while (performance.now() < writtenAt + leaseMs)
      await new Promise((resolve) => setTimeout(resolve, leaseMs));
    return endpoint;
  }

  async #write(state: IniFile, endpoints: Endpoints, undo: ChangeHooks["undo"]): Promise<void> {
    const { statePath } = this.#options;
    const before = stateStamp(statePath);
    try {
      await writeState(statePath, state);
    } catch (error) {
      const now = stateStamp(statePath);
      if (now === before) await undo?.();
      else this.#adopt(now, endpoints, undefined); // It was replaced, but a power cut may bring the old one back.
      throw error;
    }
  }

  /** Read what another process has written. A file that can't be read changes nothing. */
  async refresh(): Promise<void> {
    try {
      this.#readChanged(await stateStampLater(this.#options.statePath));
    } catch (error) {
      this.#logFault(error);
    }
  }

  /** The same for the path of every call: at once, and at most every `leaseMs`, since a stat takes some microseconds. */
  look(): void {
    const now = performance.now();
    if (now - this.#lookedAt < leaseMs) return;
    this.#lookedAt = now;
    try {
      this.#readChanged(stateStamp(this.#options.statePath));
    } catch (error) {
      this.#logFault(error);
    }
  }

  #readChanged(stamp: string | undefined): void {
    // A change in progress reads the file itself, and what it writes isn't from another process.
    if (stamp === this.#stamp || stamp === undefined || this.#isChanging) return;
    if (stamp === this.#faultyStamp) return;
    this.#faultyStamp = stamp;
    this.#read();
    this.#faultyStamp = undefined;
    this.#loggedFault = "";
  }

  #logFault(error: unknown): void {
    if (errorText(error) !== this.#loggedFault) this.#options.log.error(errorText(error));
    this.#loggedFault = errorText(error);
  }

  /** The file as it is now. A deleted file doesn't count as an empty one: its folder may be mounted again. */
  #read(): IniFile {
    const { statePath } = this.#options;
    const stamp = stateStamp(statePath);
    if (stamp === undefined && this.#stamp !== undefined) {
      throw new TabPyError("unavailable", `The state file "${statePathOf(statePath)}" is gone`);
    }
    const state = readState(statePath);
    const endpoints = endpointsOf(state);
    if (stamp !== this.#stamp) this.#adopt(stamp, endpoints, undefined);
    return state;
  }

  #adopt(stamp: string | undefined, endpoints: Endpoints, own: string | undefined): void {
    const before = this.#endpoints;
    this.#stamp = stamp;
    this.#endpoints = endpoints;
    this.#options.onChange(endpoints, before, own);
  }
}
