// The registry: which functions and aliases are deployed, which archive serves a name, and the steps that deploy, change
// and remove an endpoint. store.ts keeps state.ini, loads.ts decides which archive serves.

import type { Readable } from "node:stream";
import { errorText } from "../errors.ts";
import { sweepFolder } from "../files.ts";
import type { Service } from "../lifecycle.ts";
import type { Logger } from "../logging/logger.ts";
import type { Resolution } from "../model.ts";
import { ArchiveCleanup } from "./archive-cleanup.ts";
import { Archives, type Installed } from "./archives.ts";
import { type Endpoint, type EndpointBody, type Endpoints, endpointBody, followAliases } from "./endpoint.ts";
import {
  changedEndpoint,
  type EndpointRequest,
  newEndpoint,
  parseEndpointRequest,
  existingEndpoint,
  missingSource,
  parseName,
  refusedChange,
  refuseTaken,
  refuseUsed,
  versionAfter,
} from "./endpoint-request.ts";
import { type EndpointStatus, Loads, type TryLoad } from "./loads.ts";
import { type Source, Staging } from "./staging.ts";
import { checkWritable } from "./storage.ts";
import { Store } from "./store.ts";

export interface RegistryOptions {
  readonly statePath: string;
  readonly queryObjectPath: string;
  readonly maxArchiveBytes: number;
  /** Loads an archive in a process of its own (loads.ts). */
  readonly tryAlone: TryLoad;
  /** Loads an archive in a process shared with other loads (loads.ts). */
  readonly tryShared: TryLoad;
  readonly log: Logger;
}

/** One endpoint by its name, as in the answers to POST and PUT. */
type Answer = Readonly<Record<string, EndpointBody>>;

/** How often the state file is polled for changes by other processes. */
const pollMs = 1000;

export class Registry implements Service {
  readonly name = "registry";
  readonly #statePath: string;
  readonly #log: Logger;
  readonly #audit: Logger;
  readonly #staging: Staging;
  readonly #archives: Archives;
  readonly #cleanup: ArchiveCleanup;
  readonly #loads: Loads;
  readonly #store: Store;
  #revision = 0;
  #pollTimer: NodeJS.Timeout | undefined;
  #swept: Promise<void> | undefined;

  /** Reads the state file. Throws TabPyError `config` with the faulty line; the file stays as it is. */
  constructor(options: RegistryOptions) {
    const { statePath, queryObjectPath, maxArchiveBytes, tryAlone, tryShared, log } = options;
    this.#statePath = statePath;
    this.#log = log;
    this.#audit = log.for("audit.ts").named("tabpy.audit");
    this.#staging = new Staging(statePath, maxArchiveBytes);
    this.#archives = new Archives(queryObjectPath, statePath);
    this.#cleanup = new ArchiveCleanup({ archives: this.#archives, statePath, log });
    this.#loads = new Loads({
      archives: this.#archives,
      tryAlone,
      tryShared,
      onChange: () => this.#revision++,
      onServing: (model) => this.#cleanup.scheduleOlder(model),
      log,
    });
    this.#store = new Store({
      statePath,
      onChange: (endpoints, before, own) => this.#changed(endpoints, before, own),
      log,
    });
  }

  /** A number that changes whenever an answer of `resolve` may have changed, here or by another process. */
  get revision(): number {
    this.#store.look();
    return this.#revision;
  }

  /** Starts to load every endpoint without waiting for the loads. */
  async start(): Promise<void> {
    for (const endpoint of this.#store.endpoints.values()) {
      if (endpoint.type !== "alias") this.#loads.loadAtStart(endpoint);
    }
    this.#pollTimer = setInterval(() => this.#store.poll(), pollMs);
    this.#swept = this.#sweep().catch((error) => this.#log.warning(`Cannot clean up: ${errorText(error)}`));
    await checkWritable(this.#statePath).catch((error) =>
      this.#log.warning(`Functions can't be deployed, changed or removed: ${errorText(error)}`),
    );
  }

  async stop(): Promise<void> {
    clearInterval(this.#pollTimer);
    await this.#swept;
    await this.#cleanup.done;
  }

  /** Resolves when everything that was deployed before the start has been loaded. */
  get loadedAtStart(): Promise<void> {
    return this.#loads.loadedAtStart;
  }

  /** Resolves when no load is running, or none of `name` when it is given, or after `timeoutMs`. */
  settled(timeoutMs: number, name?: string): Promise<void> {
    return this.#loads.settled(timeoutMs, name);
  }

  /** Every endpoint as GET /endpoints shows it. */
  list(): Readonly<Record<string, EndpointBody>> {
    return Object.fromEntries(
      [...this.#store.endpoints].map(([name, endpoint]) => [name, endpointBody(endpoint)]),
    );
  }

  /** One endpoint as GET /endpoints shows it; undefined when it doesn't exist. */
  get(name: string): EndpointBody | undefined {
    const endpoint = this.#store.endpoints.get(name);
    return endpoint && endpointBody(endpoint);
  }

  /** Every endpoint as GET /status shows it. */
  status(): Readonly<Record<string, EndpointStatus>> {
    return Object.fromEntries(
      [...this.#store.endpoints.values()].map((one) => [one.name, this.#statusOf(one)]),
    );
  }

  /**
   * What a call of `name` runs, after a look at what other processes have changed. Waits for the load of a version that
   * another process has deployed, for a few seconds at most.
   */
  resolveCurrent(name: string): Resolution | Promise<Resolution> {
    this.#store.look();
    const resolution = this.resolve(name);
    if (resolution.kind !== "model") return resolution;
    return this.#loads.successor(resolution.model.name)?.then(() => this.resolve(name)) ?? resolution;
  }

  /** What a call of `name` runs. */
  resolve(name: string): Resolution {
    const endpoint = followAliases(name, this.#store.endpoints);
    if (endpoint === "circle")
      return { kind: "unusable", name, reason: `the alias ${name} leads back to itself` };
    if (endpoint === undefined) return { kind: "unknown" };
    const model = this.#loads.serving(endpoint.name);
    if (model !== undefined) return { kind: "model", model };
    const reason = `There is no query object associated to the endpoint: ${endpoint.name}`; // TabPy's message
    return { kind: "unusable", name: endpoint.name, reason };
  }

  /** Deploy a new endpoint from the body of POST /endpoints. Throws TabPyError for what is wrong with it. */
  async add(body: unknown): Promise<Answer> {
    const name = parseName(body);
    await this.#store.refresh();
    refuseTaken(name, this.#store.endpoints);
    const request = parseEndpointRequest(body);
    const source = await this.#sourceOf(request, request.type);
    const type = request.type ?? "model";
    if (type === "model" && source === undefined) throw missingSource(request);
    const edit = (endpoints: Endpoints) => {
      refuseTaken(name, endpoints);
      return newEndpoint(name, type, request, endpoints);
    };
    return this.#deploy(source, request, edit, "added");
  }

  /** Change an endpoint from the body of PUT /endpoints/{name}. Throws TabPyError for what is wrong with it. */
  async update(name: string, body: unknown): Promise<Answer> {
    await this.#store.refresh();
    const old = existingEndpoint(name, this.#store.endpoints);
    const { type } = old;
    const request = parseEndpointRequest(body, old);
    if (request.type !== undefined && request.type !== type) {
      throw refusedChange(`endpoint ${name} is of the type ${type}, which can't become ${request.type}.`);
    }
    const source = await this.#sourceOf(request, type);
    // To change a description, clients send the folder that they deployed from, which was moved away.
    if (type !== "alias" && source === undefined && versionAfter(old, body) > old.version) {
      throw missingSource(request);
    }
    const edit = (endpoints: Endpoints) => {
      const current = existingEndpoint(name, endpoints);
      return changedEndpoint(current, request, versionAfter(current, body), endpoints);
    };
    return this.#deploy(source, request, edit, "updated");
  }

  /** Remove an endpoint with its archives. Throws TabPyError `bad-request` while another endpoint depends on it. */
  async remove(name: string): Promise<void> {
    const edit = (endpoints: Endpoints) => {
      refuseUsed(existingEndpoint(name, endpoints), endpoints);
      return undefined;
    };
    await this.#store.change(name, edit, { after: () => this.#cleanup.removeAll(name) });
    this.#audit.info(`Endpoint ${name} removed`);
    await this.#cleanup.attempt(name, () => this.#staging.remove(name));
  }

  /** Read what another process has written to the state file. */
  refresh(): Promise<void> {
    return this.#store.refresh();
  }

  /** The folder that clients are told to put archives into. */
  get uploadPath(): string {
    return this.#staging.path;
  }

  /**
   * Store an uploaded archive, and resolve with the folder to deploy it from.
   *
   * @param size its Content-Length, 0 when it is sent in chunks. @param gone fires when its client has disconnected.
   * @throws TabPyError `too-large` or `bad-request`; then nothing of it is kept.
   */
  async receiveUpload(name: string, version: string, body: Readable, size: number, gone?: AbortSignal) {
    this.#staging.checkSize(size);
    return this.#staging.receive(name, version, body, gone);
  }

  /** The folder to deploy from; undefined when it isn't there, and for an alias. */
  async #sourceOf({ sourcePath }: EndpointRequest, type: string | undefined): Promise<Source | undefined> {
    return type === "alias" || sourcePath === undefined ? undefined : this.#staging.source(sourcePath);
  }

  /** Install the archive of `source`, write the endpoint that `edit` makes, and start to load it. */
  async #deploy(
    source: Source | undefined,
    request: EndpointRequest,
    edit: (endpoints: Endpoints) => Endpoint,
    what: "added" | "updated",
  ): Promise<Answer> {
    const { name } = edit(this.#store.endpoints);
    const prepared =
      source && (await this.#archives.prepare(name, source.folder, source.isUploaded, request.facts));
    if (source !== undefined) this.#staging.forget(source);
    let installed: Installed | undefined;
    const install = async (endpoints: Endpoints) => {
      const changed = edit(endpoints);
      if (!prepared) return changed;
      // A server that was killed while it removed a function of this name may have left archives: they must not serve.
      if (!endpoints.has(name)) await this.#archives.removeAll(name);
      installed = await this.#archives.install(name, changed.version, prepared, this.#loads.serving(name));
      return changed;
    };
    let endpoint: Endpoint;
    try {
      endpoint = await this.#store.change(name, install, { undo: async () => installed?.undo() });
    } catch (error) {
      if (source && prepared && (await this.#archives.discard(prepared))) this.#staging.keep(source);
      throw error;
    }
    this.#audit.info(`Endpoint ${name} ${what}, version ${endpoint.version}, type ${endpoint.type}`);
    if (prepared) {
      const aside = installed?.aside;
      const isServing = aside?.key === this.#loads.serving(name)?.key;
      this.#loads.loadDeployed(endpoint, isServing ? aside : undefined);
    }
    return { [name]: endpointBody(endpoint) };
  }

  /** The store has new endpoints: either `own` was changed here, and `#deploy` loads it, or any were elsewhere. */
  #changed(endpoints: Endpoints, before: Endpoints, own: string | undefined): void {
    this.#revision++;
    if (own !== undefined) {
      if (!endpoints.has(own)) this.#loads.forget(own);
      return;
    }
    for (const name of before.keys()) if (!endpoints.has(name)) this.#loads.forget(name);
    for (const endpoint of endpoints.values()) {
      if (endpoint.type !== "alias" && !this.#loads.isCurrent(endpoint)) this.#loads.loadElsewhere(endpoint);
    }
  }

  #statusOf(endpoint: Endpoint): EndpointStatus {
    const { name, version, type } = endpoint;
    // An alias has nothing to load.
    if (type === "alias") return { version, type, status: "LoadSuccessful", last_error: null };
    return this.#loads.status(name) ?? { version, type, status: "LoadInProgress", last_error: null };
  }

  async #sweep(): Promise<void> {
    await this.#store.poll();
    await this.#archives.sweep();
    await this.#staging.sweep();
    await sweepFolder(this.#statePath);
  }
}
