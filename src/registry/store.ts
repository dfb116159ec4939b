// The endpoints as state.ini has them, and every change of that file: one at a time, by one process at a time, on top
// of what the file holds by then. What another process has written is taken up.

import { errorText } from "../errors.ts";
import { withLock } from "../files.ts";
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
  /** `endpoints` hold from now on in the place of `before`; `own` is the name that this process has changed. */
  readonly onChange: (endpoints: Endpoints, before: Endpoints, own: string | undefined) => void;
  readonly log: Logger;
}

export class Store {
  readonly #options: StoreOptions;
  #endpoints: Endpoints;
  #stamp: string | undefined;
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
   * file is written, durably, before anyone is told.
   *
   * @throws what `edit` throws; then nothing has changed.
   */
  async change<T extends Endpoint | undefined>(
    name: string,
    edit: (endpoints: Endpoints) => T | Promise<T>,
  ): Promise<T> {
    const { statePath } = this.#options;
    return withLock(statePathOf(statePath), async () => {
      const state = readState(statePath);
      const endpoints = new Map(endpointsOf(state));
      const endpoint = await edit(endpoints);
      setEndpoint(state, name, endpoint);
      if (endpoint === undefined) endpoints.delete(name);
      else endpoints.set(name, endpoint);
      await writeState(statePath, state);
      this.#adopt(stateStamp(statePath), endpoints, name);
      return endpoint;
    });
  }

  /** Take up what another process has written. A file that can't be read changes nothing. */
  async refresh(): Promise<void> {
    const { statePath, log } = this.#options;
    try {
      const seen = await stateStampLater(statePath);
      if (seen === this.#stamp || seen === undefined) return;
      const stamp = stateStamp(statePath); // of what is read next: a change of our own may have come between
      const endpoints = endpointsOf(readState(statePath));
      if (stamp !== this.#stamp) this.#adopt(stamp, endpoints, undefined);
      this.#saidFault = "";
    } catch (error) {
      if (errorText(error) !== this.#saidFault) log.error(errorText(error));
      this.#saidFault = errorText(error);
    }
  }

  #adopt(stamp: string | undefined, endpoints: Endpoints, own: string | undefined): void {
    const before = this.#endpoints;
    this.#stamp = stamp;
    this.#endpoints = endpoints;
    this.#options.onChange(endpoints, before, own);
  }
}
