// The endpoints as state.ini has them, and every change of that file. A change locks the file against other processes
// and is applied to its current contents. What another process has written is read: a change that one server has
// acknowledged is seen by every later request of every server on the folder. To make that cheap, a server may rely on a
// look at the file for `leaseMs`, and a change is acknowledged only when it is older than that. A file that has lost much
// since it was last read isn't believed (state-copy.ts): the last good one stays in use, and changes are refused.

import { readFile } from "node:fs/promises";
import { errorText, TabPyError } from "../errors.ts";
import { withLock } from "../file-lock.ts";
import type { IniFile } from "../ini.ts";
import type { Logger } from "../logging/logger.ts";
import type { Endpoint, Endpoints } from "./endpoint.ts";
import {
  type Contents,
  contentsOf,
  copyStamp,
  doubtOf,
  isCopied,
  lossOf,
  readBelievedState,
  writeCopy,
} from "./state-copy.ts";
import {
  endpointsOf,
  readState,
  type StateStamp,
  setEndpoint,
  stateStamp,
  stateStampLater,
  statePathOf,
  writeState,
} from "./state.ts";
import { storing } from "./storage.ts";

const leaseMs = 10;
/** A file that isn't believed is reported after this many polls: another process may be about to write the rest. */
const restPolls = 3;

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

/** The stamp of no file. */
const inDoubt = "in doubt";

export class Store {
  readonly #options: StoreOptions;
  #endpoints: Endpoints;
  /** Of the file that `#endpoints` are from; `inDoubt` when they are from its copy. */
  #stamp: StateStamp;
  /** What the file had when it was last believed. */
  #contents: Contents;
  #isChanging = false;
  /** When `look` last looked, by `performance.now()`. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** The last fault of the state file, so that it is logged once. */
  #loggedFault = "";
  /** The version of the file, and of its copy, that has a fault or isn't believed: it isn't read again. */
  #faultyVersion: string | undefined;
  /** Why the file isn't believed, and how many polls have found it so. */
  #doubt: { readonly error: TabPyError; polls: number } | undefined;
  /** The copy may be older than the file, which this process hasn't written. */
  #isCopyDue = true;

  /** Reads the state file. Throws TabPyError `config` with the faulty line; the file stays as it is. */
  constructor(options: StoreOptions) {
    this.#options = options;
    const { state, stamp, doubt } = readBelievedState(options.statePath);
    this.#stamp = doubt === undefined ? stamp : inDoubt;
    this.#contents = contentsOf(state);
    this.#endpoints = endpointsOf(state);
    if (doubt === undefined) return;
    this.#doubt = { error: doubt, polls: restPolls };
    this.#logDoubt(doubt);
  }

  get endpoints(): Endpoints {
    return this.#endpoints;
  }

  /**
   * Set `name` to the endpoint that `edit` makes from the file's contents, or remove it for undefined. The file is
   * written durably, then `onChange` and `after` are called.
   *
   * @throws what `edit` throws; then nothing has changed. TabPyError `unavailable` when the file was deleted or isn't
   *   believed, that or `disk-full` when it can't be written; then `undo` was called, and nothing has changed either.
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
        const text = await this.#write(state, endpoints, undo);
        writtenAt = performance.now();
        this.#adopt(stateStamp(statePath), endpoints, contentsOf(state), name);
        await writeCopy(statePath, text).catch(() => {
          this.#isCopyDue = true; // The change itself is complete.
        });
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

  /** Resolves with the text of the file. */
  async #write(state: IniFile, endpoints: Endpoints, undo: ChangeHooks["undo"]): Promise<string> {
    const { statePath } = this.#options;
    const before = stateStamp(statePath);
    try {
      return await writeState(statePath, state);
    } catch (error) {
      const now = stateStamp(statePath);
      if (now === before) await undo?.();
      else this.#adopt(now, endpoints, contentsOf(state), undefined); // It was replaced, but a power cut may bring the old one back.
      throw error;
    }
  }

  /** To be called regularly: `refresh`, and what may take its time. */
  async poll(): Promise<void> {
    await this.refresh();
    if (this.#doubt !== undefined && ++this.#doubt.polls === restPolls) this.#logDoubt(this.#doubt.error);
    await this.#copyWhenDue();
  }

  /** Copy a file that another process has written, or that has no copy yet. Without a copy the server works too. */
  async #copyWhenDue(): Promise<void> {
    const { statePath } = this.#options;
    if (!this.#isCopyDue || this.#stamp === undefined || this.#stamp === inDoubt || this.#doubt !== undefined)
      return;
    this.#isCopyDue = false;
    if (isCopied(statePath)) return;
    const copy = async () => {
      const bytes = await readFile(statePathOf(statePath));
      if (stateStamp(statePath) === this.#stamp) await writeCopy(statePath, bytes);
    };
    await withLock(statePathOf(statePath), copy).catch(() => {}); // `checkWritable` has warned at the start
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
    if (stamp === undefined || this.#isChanging) return;
    if (stamp !== this.#stamp) {
      const version = `${stamp} ${copyStamp(this.#options.statePath)}`;
      if (version === this.#faultyVersion) return;
      this.#faultyVersion = version;
      this.#read();
    }
    if (this.#faultyVersion !== undefined || this.#doubt !== undefined) this.#endFault();
  }

  #endFault(): void {
    if (this.#doubt !== undefined && this.#doubt.polls >= restPolls) {
      this.#options.log.info(`The state file "${statePathOf(this.#options.statePath)}" is used again`);
    }
    this.#doubt = undefined;
    this.#faultyVersion = undefined;
    this.#loggedFault = "";
  }

  #logDoubt(error: TabPyError): void {
    const meanwhile = "Until then the functions that it had stay in use, and changes are refused";
    this.#options.log.error(`${error.message}. ${meanwhile}`);
  }

  #logFault(error: unknown): void {
    if (error === this.#doubt?.error) return; // `poll` logs it
    if (errorText(error) !== this.#loggedFault) this.#options.log.error(errorText(error));
    this.#loggedFault = errorText(error);
  }

  /** The file as it is now. A deleted file doesn't count as an empty one: its folder may be mounted again. */
  #read(): IniFile {
    const { statePath } = this.#options;
    const stamp = stateStamp(statePath);
    if (stamp === undefined && this.#stamp !== undefined) {
      throw (
        this.#doubt?.error ??
        new TabPyError("unavailable", `The state file "${statePathOf(statePath)}" is gone`)
      );
    }
    const state = readState(statePath);
    if (stamp === this.#stamp) return state;
    const endpoints = endpointsOf(state);
    const contents = contentsOf(state);
    const loss = this.#stamp === undefined ? undefined : lossOf(this.#contents, contents);
    if (loss !== undefined && !isCopied(statePath)) throw this.#doubtAbout(loss);
    this.#isCopyDue = true;
    this.#adopt(stamp, endpoints, contents, undefined);
    return state;
  }

  #doubtAbout(loss: string): TabPyError {
    const error = doubtOf(this.#options.statePath, loss);
    if (this.#doubt?.error.message === error.message) return this.#doubt.error;
    this.#doubt = { error, polls: 0 };
    return error;
  }

  #adopt(stamp: StateStamp, endpoints: Endpoints, contents: Contents, own: string | undefined): void {
    const before = this.#endpoints;
    this.#stamp = stamp;
    this.#contents = contents;
    this.#endpoints = endpoints;
    this.#options.onChange(endpoints, before, own);
  }
}
