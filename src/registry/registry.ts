// The registry: which functions and aliases are deployed, what stands behind a name, and what it takes to deploy,
// change and remove one. How state.ini is kept is store.ts's affair, what serves meanwhile loads.ts's.

import { errorText, TabPyError } from "../errors.ts";
import { sweepFolder } from "../files.ts";
import type { Service } from "../lifecycle.ts";
import type { Logger } from "../logging/logger.ts";
import type { Model, Resolution } from "../model.ts";
import { followAliases, withTarget } from "./aliases.ts";
import { Archives } from "./archives.ts";
import { type Endpoint, endpointBody } from "./endpoint.ts";
import {
  changedEndpoint,
  type EndpointRequest,
  newEndpoint,
  parseEndpointRequest,
  parseName,
  refusedChange,
  wantsNewVersion,
} from "./endpoint-request.ts";
import { type LoadModel, Loads } from "./loads.ts";
import { type Source, Staging } from "./staging.ts";
import { Removals } from "./removals.ts";
import type { Endpoints } from "./state.ts";
import { Store } from "./store.ts";

export interface RegistryOptions {
  readonly statePath: string;
  readonly queryObjectPath: string;
  readonly maxArchiveBytes: number;
  readonly load: LoadModel;
  readonly log: Logger;
  /** Takes what was deployed, changed and removed, for the audit log. */
  readonly audit: (message: string) => void;
}

type Shown = Readonly<Record<string, unknown>>;

/** How often the state file is looked at for changes of other processes. */
const lookMs = 1000;

export class Registry implements Service {
  readonly name = "registry";
  readonly staging: Staging;
  readonly #options: RegistryOptions;
  readonly #archives: Archives;
  readonly #loads: Loads;
  readonly #store: Store;
  readonly #removals: Removals;
  #revision = 0;
  #lookTimer: NodeJS.Timeout | undefined;

  /** Reads the state file. Throws TabPyError `config` with the line that is wrong; the file stays as it is. */
  constructor(options: RegistryOptions) {
    const { statePath, queryObjectPath, maxArchiveBytes, load, log } = options;
    this.#options = options;
    this.staging = new Staging(statePath, maxArchiveBytes);
    this.#archives = new Archives(queryObjectPath, statePath);
    this.#loads = new Loads({
      archives: this.#archives,
      load,
      onChange: () => this.#revision++,
      onServing: (model) => this.#removals.beginOlder(model),
      log,
    });
    this.#removals = new Removals({
      archives: this.#archives,
      locked: (action) => this.#store.locked(action),
      log,
    });
    this.#store = new Store({
      statePath,
      onChange: (endpoints, before, own) => this.#changed(endpoints, before, own),
      log,
    });
  }

  /** Changes with everything that `resolve` could answer otherwise. */
  get revision(): number {
    return this.#revision;
  }

  /** Begins to load every endpoint; resolves at once. */
  async start(): Promise<void> {
    for (const endpoint of this.#store.endpoints.values()) {
      if (endpoint.type !== "alias") this.#loads.loadAtStart(endpoint);
    }
    this.#lookTimer = setInterval(() => this.refresh(), lookMs);
    this.#sweep().catch((error) => this.#options.log.warning(`Cannot clean up: ${errorText(error)}`));
  }

  async stop(): Promise<void> {
    clearInterval(this.#lookTimer);
    await this.#removals.done;
  }

  /** Resolves when what was deployed before the start has been loaded. */
  get loadedAtStart(): Promise<void> {
    return this.#loads.loadedAtStart;
  }

  /** Waits for loads that are under way, of `name` alone when it is given, for `timeoutMs` at most. */
  settled(timeoutMs: number, name?: string): Promise<void> {
    return this.#loads.settled(timeoutMs, name);
  }

  /** Every endpoint as GET /endpoints shows it. */
  list(): Readonly<Record<string, Shown>> {
    return Object.fromEntries(
      [...this.#store.endpoints].map(([name, endpoint]) => [name, endpointBody(endpoint)]),
    );
  }

  /** Every endpoint as GET /status shows it. */
  status(): Readonly<Record<string, Shown>> {
    return Object.fromEntries(
      [...this.#store.endpoints.values()].map((one) => [one.name, this.#statusOf(one)]),
    );
  }

  /** What a call of `name` runs; aliases are followed. */
  resolve(name: string): Resolution {
    const endpoint = followAliases(name, this.#store.endpoints);
    if (endpoint === "circle")
      return { kind: "unusable", name, reason: `the alias ${name} leads back to itself` };
    if (endpoint === undefined) return { kind: "unknown" };
    const model = this.#loads.serving(endpoint.name);
    if (model !== undefined) return { kind: "model", model };
    return { kind: "unusable", name: endpoint.name, reason: noQueryObject(endpoint.name) };
  }

  /** Deploy a new endpoint from the body of POST /endpoints. */
  async add(body: unknown): Promise<Readonly<Record<string, Shown>>> {
    const name = parseName(body);
    const mayNotExist = (endpoints: Endpoints) => {
      if (endpoints.has(name)) throw new TabPyError("bad-request", `endpoint ${name} already exists.`);
    };
    mayNotExist(this.#store.endpoints);
    const request = parseEndpointRequest(body);
    const source = request.type === "alias" ? undefined : await this.#sourceOf(request);
    if (request.type === undefined) throw refusedChange("endpoint type must be a string.");
    if (request.type === "model" && source === undefined) throw missingSource(request);
    const endpoint = newEndpoint(name, request.type, request);
    return this.#deploy(
      source,
      request,
      (endpoints) => {
        mayNotExist(endpoints);
        return withTarget(endpoint, request, endpoints);
      },
      "added",
    );
  }

  /** Change an endpoint as the body of PUT /endpoints/{name} says. */
  async update(name: string, body: unknown): Promise<Readonly<Record<string, Shown>>> {
    const existing = (endpoints: Endpoints) => {
      const endpoint = endpoints.get(name);
      if (endpoint === undefined) throw new TabPyError("not-found", `endpoint ${name} does not exist.`);
      return endpoint;
    };
    const request = parseEndpointRequest(body);
    const isNewVersion = wantsNewVersion(body);
    const before = existing(this.#store.endpoints);
    if (request.type !== undefined && request.type !== before.type) {
      throw refusedChange(
        `endpoint ${name} is of the type ${before.type}, which can't become ${request.type}.`,
      );
    }
    const source = before.type === "alias" ? undefined : await this.#sourceOf(request);
    // Clients name the folder that they deployed from to change a description: it has been moved away since.
    if (before.type !== "alias" && source === undefined && isNewVersion) throw missingSource(request);
    return this.#deploy(
      source,
      request,
      (endpoints) => {
        const changed = changedEndpoint(existing(endpoints), request, isNewVersion);
        return withTarget(changed, request, endpoints);
      },
      "updated",
    );
  }

  /** Remove an endpoint with its archives. Throws TabPyError `bad-request` while an alias stands for it. */
  async remove(name: string): Promise<void> {
    const edit = (endpoints: Endpoints) => {
      if (!endpoints.has(name)) throw new TabPyError("not-found", `endpoint ${name} does not exist.`);
      const users = [...endpoints.values()].filter(
        (one) => one.name !== name && (one.target === name || one.dependencies.includes(name)),
      );
      if (users.length === 0) return undefined;
      const names = users.map((one) => `'${one.name}'`).join(", ");
      throw new TabPyError(
        "bad-request",
        `Cannot remove endpoint ${name}, it is currently used by [${names}] endpoints.`,
      );
    };
    await this.#store.change(name, edit, () => this.#removals.removeAll(name));
    this.#options.audit(`Endpoint ${name} removed`);
    await this.staging.remove(name);
  }

  /** Take up what another process has written to the state file. */
  refresh(): Promise<void> {
    return this.#store.refresh();
  }

  async #sourceOf({ sourcePath }: EndpointRequest): Promise<Source | undefined> {
    if (sourcePath === undefined) {
      throw new TabPyError("bad-request", "src_path is required to add/update an endpoint.");
    }
    return this.staging.source(sourcePath);
  }

  /** Put the archive of `source` in its place, write the endpoint that `edit` makes, and begin to load it. */
  async #deploy(
    source: Source | undefined,
    request: EndpointRequest,
    edit: (endpoints: Endpoints) => Endpoint,
    what: "added" | "updated",
  ): Promise<Readonly<Record<string, Shown>>> {
    const planned = edit(this.#store.endpoints);
    const { name } = planned;
    const prepared =
      source && (await this.#archives.prepare(name, source.folder, source.isUploaded, request.facts));
    if (source !== undefined) this.staging.forget(source);
    let aside: Model | undefined;
    let endpoint: Endpoint;
    try {
      endpoint = await this.#store.change(name, async (endpoints) => {
        const changed = edit(endpoints);
        if (!prepared) return changed;
        // What a server left that was killed while it removed a function of this name must never serve again.
        if (!endpoints.has(name)) await this.#archives.removeAll(name);
        const serving = this.#loads.serving(name);
        aside = await this.#archives.install(name, changed.version, prepared, serving);
        return changed;
      });
    } catch (error) {
      if (prepared) await this.#archives.discard(prepared);
      throw error;
    }
    this.#options.audit(`Endpoint ${name} ${what}, version ${endpoint.version}, type ${endpoint.type}`);
    if (prepared) {
      const isServing = aside?.key === this.#loads.serving(name)?.key;
      this.#loads.loadDeployed(endpoint, isServing ? aside : undefined);
    }
    return { [name]: endpointBody(endpoint) };
  }

  /** What the store holds has changed: `own` by this process, which loads it itself, or anything by another one. */
  #changed(endpoints: Endpoints, before: Endpoints, own: string | undefined): void {
    this.#revision++;
    if (own !== undefined) {
      if (!endpoints.has(own)) this.#loads.forget(own);
      return;
    }
    for (const name of before.keys()) if (!endpoints.has(name)) this.#loads.forget(name);
    for (const endpoint of endpoints.values()) {
      if (endpoint.type !== "alias" && !this.#loads.isCurrent(endpoint)) this.#loads.loadDeployed(endpoint);
    }
  }

  #statusOf(endpoint: Endpoint): Shown {
    const { name, version, type } = endpoint;
    if (type !== "alias") {
      return this.#loads.status(name) ?? { version, type, status: "LoadInProgress", last_error: null };
    }
    return { version, type, status: "LoadSuccessful", last_error: null }; // it has nothing to load
  }

  async #sweep(): Promise<void> {
    await this.#archives.sweep();
    await this.staging.sweep();
    await sweepFolder(this.#options.statePath);
  }
}

function missingSource({ sourcePath }: EndpointRequest): TabPyError {
  return new TabPyError("bad-request", `src_path ${sourcePath} does not exist.`);
}

/** TabPy's words for a function that is deployed and couldn't be loaded. */
function noQueryObject(name: string): string {
  return `There is no query object associated to the endpoint: ${name}`;
}
