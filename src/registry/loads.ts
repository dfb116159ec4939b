// Which archive of each deployed function serves, and what became of its last load. A new version is loaded once by
// itself first; until that has gone well the version before it serves. Loading is a function that main.ts gives.

import type { Logger } from "../logging/logger.ts";
import type { Model } from "../model.ts";
import type { Archives } from "./archives.ts";
import type { Endpoint } from "./endpoint.ts";

export type LoadStatus = "LoadInProgress" | "LoadSuccessful" | "LoadFailed";

/**
 * Loads an archive to see whether it can be: what went wrong, or undefined.
 *
 * @param process `own` for a new deployment, which may do anything; `shared` for those that have served before.
 */
export type LoadModel = (model: Model, process: "own" | "shared") => Promise<string | undefined>;

interface Entry {
  readonly version: number;
  readonly type: string;
  status: LoadStatus;
  lastError: string | null;
  serving: Model | undefined;
  /** Of the archive of this version; undefined when it isn't there. */
  readonly key: string | undefined;
}

export interface LoadsOptions {
  readonly archives: Archives;
  readonly load: LoadModel;
  /** What serves has changed. */
  readonly onChange: () => void;
  /** This version serves, and no other is needed any more. */
  readonly onServing: (model: Model) => void;
  readonly log: Logger;
}

export class Loads {
  readonly #options: LoadsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #running = new Map<Entry, Promise<void>>();
  /** Loads of the start go one after the other, behind everything else. */
  #startQueue: Promise<void> = Promise.resolve();

  constructor(options: LoadsOptions) {
    this.#options = options;
  }

  /** The archive that serves `name`, undefined when none can. */
  serving(name: string): Model | undefined {
    return this.#entries.get(name)?.serving;
  }

  /** Whether what is loaded, or being loaded, is the archive that is in its place now. */
  isCurrent({ name, version }: Endpoint): boolean {
    const entry = this.#entries.get(name);
    return entry?.version === version && this.#options.archives.find(name, version)?.key === entry.key;
  }

  /** As GET /status shows it, undefined for what was never loaded. */
  status(name: string): Readonly<Record<string, unknown>> | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const { version, type, status, lastError } = entry;
    return { version, type, status, last_error: lastError };
  }

  forget(name: string): void {
    this.#entries.delete(name);
    this.#options.onChange();
  }

  /** Load what served when the server was stopped, in the background. It serves meanwhile. */
  loadAtStart(endpoint: Endpoint): void {
    const [entry, model] = this.#enter(endpoint, undefined);
    this.#startQueue = this.#track(
      entry,
      this.#startQueue.then(() => this.#load(endpoint, entry, model, "shared")),
    );
  }

  /** Resolves when `loadAtStart` has nothing left to do. */
  get loadedAtStart(): Promise<void> {
    return this.#startQueue;
  }

  /**
   * Load a new deployment. Until it has gone well, `before` serves, or what served up to now.
   *
   * @param before where the archive that served lies now, when it was moved.
   */
  loadDeployed(endpoint: Endpoint, before?: Model): void {
    const [entry, model] = this.#enter(endpoint, before ?? this.serving(endpoint.name));
    this.#track(entry, this.#load(endpoint, entry, model, "own"));
  }

  /** Resolves when nothing is being loaded any more, or `name` isn't, or after `timeoutMs`. */
  async settled(timeoutMs: number, name?: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    const running = () =>
      [...this.#running].filter(([entry]) => name === undefined || this.#entries.get(name) === entry);
    const done = async () => {
      for (let loads = running(); loads.length > 0; loads = running()) {
        await Promise.all(loads.map(([, load]) => load));
      }
    };
    await Promise.race([late, done()]);
    clearTimeout(timer);
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
    };
    this.#entries.set(name, entry);
    this.#options.onChange();
    return [entry, model];
  }

  #track(entry: Entry, load: Promise<void>): Promise<void> {
    const running = load.finally(() => this.#running.delete(entry));
    this.#running.set(entry, running);
    return running;
  }

  async #load(
    endpoint: Endpoint,
    entry: Entry,
    model: Model | undefined,
    process: "own" | "shared",
  ): Promise<void> {
    const { name, version, type } = endpoint;
    const { log, load, onServing } = this.#options;
    if (this.#entries.get(name) !== entry) return; // removed, or deployed anew, while the start loaded others
    log.info(`Load endpoint: ${name}, version: ${version}, type: ${type}`);
    const error = await this.#tryLoad(endpoint, model, load, process);
    if (this.#entries.get(name) !== entry) return; // removed, or deployed anew meanwhile
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
    if (process === "shared") await this.#serveEarlier(endpoint, entry);
  }

  async #tryLoad(
    { name, version, type }: Endpoint,
    model: Model | undefined,
    load: LoadModel,
    process: "own" | "shared",
  ): Promise<string | undefined> {
    if (type !== "model") return `Unknown object type: ${type}`;
    if (model === undefined) return `there is no archive of version ${version} of ${name}`;
    return load(model, process);
  }

  /** The server was stopped while a new version that doesn't load stood beside one that did. */
  async #serveEarlier({ name, version, type }: Endpoint, entry: Entry): Promise<void> {
    if (type !== "model") return;
    const { archives, load, log } = this.#options;
    for (const model of await archives.others(name, version)) {
      if ((await load(model, "shared")) !== undefined) continue;
      if (this.#entries.get(name) !== entry) return;
      entry.serving = model;
      this.#options.onChange();
      const earlier = model.version === version ? "What was" : `Version ${model.version}`;
      log.warning(`${earlier} deployed before as endpoint ${name} serves: version ${version} doesn't load`);
      return;
    }
  }
}
