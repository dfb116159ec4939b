// Which archive of each deployed function serves, and how its last load ended. A new version is loaded in a trial
// first and serves when that has succeeded; until then the version before it serves. The trials are functions that
// main.ts passes in.

import { createChain, within } from "../lifecycle.ts";
import type { Logger } from "../logging/logger.ts";
import type { Model } from "../model.ts";
import type { Archives } from "./archives.ts";
import type { Endpoint } from "./endpoint.ts";

export type LoadStatus = "LoadInProgress" | "LoadSuccessful" | "LoadFailed";

/** An endpoint as GET /status shows it. */
export interface EndpointStatus {
  readonly version: number;
  readonly type: string;
  readonly status: LoadStatus;
  readonly last_error: string | null;
}

/** Loads an archive in a trial. Resolves with what went wrong, or undefined; never rejects. */
export type TryLoad = (model: Model) => Promise<string | undefined>;

/** How long calls wait for a version that another process has deployed: as long as its client does for the answer. */
const awaitedMs = 5000;

interface Entry {
  readonly version: number;
  readonly type: string;
  status: LoadStatus;
  lastError: string | null;
  serving: Model | undefined;
  /** Key of this version's archive; undefined when there is none. */
  readonly key: string | undefined;
  /** Resolves when calls needn't wait for this version any more; undefined when they don't wait. */
  awaited: Promise<void> | undefined;
}

export interface LoadsOptions {
  readonly archives: Archives;
  /** In a process of its own: for a new deployment, whose pickle may run any code. */
  readonly tryAlone: TryLoad;
  /** In the process of the previous trial, one at a time: for archives that have served before. */
  readonly tryShared: TryLoad;
  /** The archive that serves some name has changed. */
  readonly onChange: () => void;
  /** This version serves, and no older one is needed any more. */
  readonly onServing: (model: Model) => void;
  readonly log: Logger;
}

export class Loads {
  readonly #options: LoadsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #running = new Map<Entry, Promise<void>>();
  /** Loads at start-up run one after the other. */
  readonly #inTurn = createChain();

  constructor(options: LoadsOptions) {
    this.#options = options;
  }

  /** The archive that serves `name`, undefined when none can. */
  serving(name: string): Model | undefined {
    return this.#entries.get(name)?.serving;
  }

  /** Whether the archive that is loaded, or being loaded, is the one that is in its place now. */
  isCurrent({ name, version }: Endpoint): boolean {
    const entry = this.#entries.get(name);
    return entry?.version === version && this.#options.archives.find(name, version)?.key === entry.key;
  }

  /** Undefined for an endpoint that was never loaded. */
  status(name: string): EndpointStatus | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const { version, type, status, lastError } = entry;
    return { version, type, status, last_error: lastError };
  }

  forget(name: string): void {
    this.#entries.delete(name);
    this.#options.onChange();
  }

  /** Load in the background the archive that served when the server was stopped. It serves meanwhile. */
  loadAtStart(endpoint: Endpoint): void {
    const [entry, model] = this.#enter(endpoint, undefined);
    const load = this.#inTurn(async () => {
      await this.#load(endpoint, entry, model, this.#options.tryShared);
      if (entry.status === "LoadFailed") await this.#serveEarlier(endpoint, entry);
    });
    this.#track(entry, load);
  }

  /** Resolves when every `loadAtStart` up to now has ended. */
  get loadedAtStart(): Promise<void> {
    return this.#inTurn(async () => {});
  }

  /**
   * Load a new deployment. Until that has succeeded, `before` serves, or else the archive that has served until now.
   *
   * @param before the archive that served, at its new place, when the deployment has moved it.
   */
  loadDeployed(endpoint: Endpoint, before?: Model): void {
    const [entry, model] = this.#enter(endpoint, before ?? this.serving(endpoint.name));
    this.#track(entry, this.#load(endpoint, entry, model, this.#options.tryAlone));
  }

  /**
   * Load what another process has deployed. Its client may know by now that it serves there, so calls wait for it rather
   * than run the version before (`successor`).
   */
  loadElsewhere(endpoint: Endpoint): void {
    const [entry, model] = this.#enter(endpoint, this.serving(endpoint.name));
    const load = this.#load(endpoint, entry, model, this.#options.tryAlone);
    this.#track(entry, load);
    if (entry.serving === model) return;
    const settled = () => {
      entry.awaited = undefined;
    };
    entry.awaited = within(load, awaitedMs, "it is still being loaded").then(settled, settled);
  }

  /** Resolves when a version that another process has deployed serves, or can't; undefined when there is none. */
  successor(name: string): Promise<void> | undefined {
    return this.#entries.get(name)?.awaited;
  }

  /** Resolves when no load is running, or none of `name` when it is given, or after `timeoutMs`. */
  async settled(timeoutMs: number, name?: string): Promise<void> {
    const running = () =>
      [...this.#running].filter(([entry]) => name === undefined || this.#entries.get(name) === entry);
    const done = async () => {
      for (let loads = running(); loads.length > 0; loads = running()) {
        await Promise.all(loads.map(([, load]) => load));
      }
    };
    await within(done(), timeoutMs, "a load is still running").catch(() => {}); // only the time limit rejects
  }

  #enter(endpoint: Endpoint, before: Model | undefined): [Entry, Model | undefined] {
    const { name, version, type } = endpoint;
    const { archives } = this.#options;
    const model = archives.find(name, version);
    const entry: Entry = {
      version,
      type,
      status: "LoadInProgress",
      lastError: null,
      // Another server on the same folder may have loaded the new version already, and removed the old one.
      serving: before !== undefined && archives.isThere(before) ? before : model,
      key: model?.key,
      awaited: undefined,
    };
    this.#entries.set(name, entry);
    this.#options.onChange();
    return [entry, model];
  }

  #track(entry: Entry, load: Promise<void>): void {
    this.#running.set(
      entry,
      load.finally(() => this.#running.delete(entry)),
    );
  }

  async #load(endpoint: Endpoint, entry: Entry, model: Model | undefined, tryLoad: TryLoad): Promise<void> {
    const { name, version, type } = endpoint;
    const { log, onServing } = this.#options;
    if (this.#entries.get(name) !== entry) return; // removed or deployed again while it waited for its turn
    log.info(`Load endpoint: ${name}, version: ${version}, type: ${type}`);
    const error = await this.#faultOf(endpoint, model, tryLoad);
    if (this.#entries.get(name) !== entry) return; // removed or deployed again while it was loaded
    if (error === undefined && model !== undefined) {
      entry.status = "LoadSuccessful";
      entry.serving = model;
      this.#options.onChange();
      onServing(model);
      return;
    }
    entry.status = "LoadFailed";
    entry.lastError = `Load failed: ${error}`;
    log.error(`Cannot load endpoint ${name}, version ${version}: ${error}`);
    if (entry.serving === model) entry.serving = undefined;
    this.#options.onChange();
  }

  async #faultOf(
    { name, version, type }: Endpoint,
    model: Model | undefined,
    tryLoad: TryLoad,
  ): Promise<string | undefined> {
    if (type !== "model") return `Unknown object type: ${type}`;
    if (model === undefined) return `there is no archive of version ${version} of ${name}`;
    return tryLoad(model);
  }

  /** Find the archive that served before: the server was stopped after a deployment that doesn't load. */
  async #serveEarlier({ name, version, type }: Endpoint, entry: Entry): Promise<void> {
    if (type !== "model") return;
    const { archives, tryShared, log } = this.#options;
    for (const model of await archives.others(name, version)) {
      if ((await tryShared(model)) !== undefined) continue;
      if (this.#entries.get(name) !== entry) return;
      entry.serving = model;
      this.#options.onChange();
      const earlier = model.version === version ? "The archive" : `Version ${model.version}`;
      log.warning(`${earlier} deployed before as endpoint ${name} serves: version ${version} doesn't load`);
      return;
    }
  }
}
