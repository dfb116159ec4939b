// The endpoints as state.ini has them, and every change of that file: one at a time, by one process at a time, on top
// of what the file holds by then. What another process has written is taken up.

import { errorText, TabPyError } from "../errors.ts";
import { withLock } from "../file-lock.ts";
import type { IniFile } from "../ini.ts";
import type { Logger } from "../logging/logger.ts";
import type { Endpoint } from "./endpoint.ts";
import {
  type Endpoints,
  endpointsOf,
  readState,
  setEndpoint,
  stateStamp,
  stateStampLater,
  statePathOf,
  writeState,
} from "./state.ts";

export interface StoreOptions {
  readonly statePath: string;
  /**
   * `endpoints` hold from now on in the place of `before`. This process has changed `own` and nothing else; undefined
   * when another one has changed whatever it did.
   */
  readonly onChange: (endpoints: Endpoints, before: Endpoints, own: string | undefined) => void;
  readonly log: Logger;
}

export class Store {
  readonly #options: StoreOptions;
  #endpoints: Endpoints;
  #stamp: string | undefined;
  #isChanging = false;
  /** What was said of a state file that can't be read, so that it is said once. */
  #saidFault = "";

  /** Reads the state file. Throws TabPyError `config` with the line that is wrong; the file stays as it is. */
  constructor(options: StoreOptions) {
    this.#options = options;
    this.#stamp = stateStamp(options.statePath);
    this.#endpoints = endpointsOf(readState(options.statePath));
  }

  get endpoints(): Endpoints {
    return this.#endpoints;
  }

  /**
   * One change of `name`: to the endpoint that `edit` makes of what the file holds, or out of it for undefined. The
   * file is written, durably, before anyone is told; then comes `after`, with the file still this process's alone.
   *
   * @throws what `edit` throws; then nothing has changed. TabPyError `unavailable` when the file is gone.
   */
  async change<T extends Endpoint | undefined>(
    name: string,
    edit: (endpoints: Endpoints) => T | Promise<T>,
    after?: () => Promise<void>,
  ): Promise<T> {
    const { statePath } = this.#options;
    return withLock(statePathOf(statePath), async () => {
      this.#isChanging = true;
      try {
        const state = this.#takeUp();
        const endpoints = new Map(this.#endpoints);
        const endpoint = await edit(endpoints);
        setEndpoint(state, name, endpoint);
        if (endpoint === undefined) endpoints.delete(name);
        else endpoints.set(name, endpoint);
        await writeState(statePath, state);
        this.#adopt(stateStamp(statePath), endpoints, name);
        await after?.();
        return endpoint;
      } finally {
        this.#isChanging = false;
      }
    });
  }

  /** Do something while nobody changes the file. */
  async locked(action: () => Promise<void>): Promise<void> {
    await withLock(statePathOf(this.#options.statePath), action);
  }

  /** Take up what another process has written. A file that can't be read changes nothing. */
  async refresh(): Promise<void> {
    const { statePath, log } = this.#options;
    try {
      const seen = await stateStampLater(statePath);
      // A change of our own takes up what others have written, and is no other's itself.
      if (seen === this.#stamp || seen === undefined || this.#isChanging) return;
      this.#takeUp();
      this.#saidFault = "";
    } catch (error) {
      if (errorText(error) !== this.#saidFault) log.error(errorText(error));
      this.#saidFault = errorText(error);
    }
  }

  /** The file as it is now. A file that was there and is gone is no empty one: its folder may come back. */
  #takeUp(): IniFile {
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
