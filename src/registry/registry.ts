// The registry: which functions and aliases are deployed, and every change of that. One change at a time, by one
// process at a time; state.ini is written before anyone is told, and what another process wrote to it is taken up.

import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { errorText, TabPyError } from "../errors.ts";
import { sweepFolder, withLock } from "../files.ts";
import type { Service } from "../lifecycle.ts";
import type { Logger } from "../logging/logger.ts";
import { followAliases, withTarget } from "./aliases.ts";
import { Archives, type Model, modelIn } from "./archives.ts";
import { noDocstring } from "./docstring.ts";
import { type Endpoint, endpointBody } from "./endpoint.ts";
import {
  type EndpointRequest,
  parseEndpointRequest,
  parseName,
  refusedChange,
  wantsNewVersion,
} from "./endpoint-request.ts";
import { type LoadModel, Loads } from "./loads.ts";
import { type Source, Staging } from "./staging.ts";
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

export interface RegistryOptions {
  readonly statePath: string;
  readonly queryObjectPath: string;
  readonly maxArchiveBytes: number;
  readonly load: LoadModel;
  readonly log: Logger;
  /** Takes what was deployed, changed and removed, for the audit log. */
  readonly audit: (message: string) => void;
}

/** What stands behind a name. */
export type Resolution =
  | { readonly kind: "model"; readonly model: Model }
  /** No endpoint has this name, or its alias leads to none. */
  | { readonly kind: "unknown" }
  /** It is there and can't be called. */
  | { readonly kind: "unusable"; readonly name: string; readonly reason: string };

type Shown = Readonly<Record<string, unknown>>;

/** How often the state file is looked at for changes of other processes. */
const lookMs = 1000;

export class Registry implements Service {
  readonly name = "registry";
  readonly staging: Staging;
  readonly #options: RegistryOptions;
  readonly #archives: Archives;
  readonly #loads: Loads;
  #endpoints: Endpoints;
  #stamp: string | undefined;
  #revision = 0;
  #lookTimer: NodeJS.Timeout | undefined;
  /** What was said of a state file that can't be read, so that it is said once. */
  #saidFault = "";

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
      onServing: (model) => this.#removeOthers(model),
      log,
    });
    this.#stamp = stateStamp(statePath);
    this.#endpoints = endpointsOf(readState(statePath));
  }

  /** Changes with everything that `resolve` could answer otherwise. */
  get revision(): number {
    return this.#revision;
  }

  /** Begins to load every endpoint; resolves at once. */
  async start(): Promise<void> {
    for (const endpoint of this.#endpoints.values()) {
      if (endpoint.type !== "alias") this.#loads.loadAtStart(endpoint);
    }
    this.#lookTimer = setInterval(() => this.refresh(), lookMs);
    this.#sweep().catch((error) => this.#options.log.warning(`Cannot clean up: ${errorText(error)}`));
  }

  async stop(): Promise<void> {
    clearInterval(this.#lookTimer);
  }

  /** Resolves when what was deployed before the start has been loaded. */
  get loadedAtStart(): Promise<void> {
    return this.#loads.loadedAtStart;
  }

  /** Waits for loads that are under way, for `timeoutMs` at most. */
  settled(timeoutMs: number): Promise<void> {
    return this.#loads.settled(timeoutMs);
  }

  /** Every endpoint as GET /endpoints shows it. */
  list(): Readonly<Record<string, Shown>> {
    return Object.fromEntries([...this.#endpoints].map(([name, endpoint]) => [name, endpointBody(endpoint)]));
  }

  /** Every endpoint as GET /status shows it. */
  status(): Readonly<Record<string, Shown>> {
    return Object.fromEntries([...this.#endpoints.values()].map((one) => [one.name, this.#statusOf(one)]));
  }

  /** What a call of `name` runs; aliases are followed. */
  resolve(name: string): Resolution {
    const endpoint = followAliases(name, this.#endpoints);
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
    mayNotExist(this.#endpoints);
    const request = parseEndpointRequest(body);
    const source = request.type === "alias" ? undefined : await this.#sourceOf(request);
    if (request.type === undefined) throw refusedChange("endpoint type must be a string.");
    if (request.type === "model" && source === undefined) throw missingSource(request);
    const now = nowSeconds();
    const endpoint: Endpoint = {
      name,
      description: request.description ?? "",
      type: request.type,
      version: 1,
      dependencies: request.dependencies ?? [],
      target: null,
      creationTime: now,
      lastModifiedTime: now,
      schema: request.schema ?? null,
      isPublic: request.isPublic ?? false,
      docstring: request.docstring ?? noDocstring,
      others: {},
    };
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
    const before = existing(this.#endpoints);
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
        const old = existing(endpoints);
        const changed: Endpoint = {
          ...old,
          description: request.description ?? old.description,
          version: isNewVersion ? old.version + 1 : old.version,
          dependencies: request.dependencies ?? old.dependencies,
          lastModifiedTime: nowSeconds(),
          schema: request.schema ?? old.schema,
          isPublic: request.isPublic ?? old.isPublic,
          docstring: request.docstring ?? old.docstring,
        };
        return withTarget(changed, request, endpoints);
      },
      "updated",
    );
  }

  /** Remove an endpoint with its archives. Throws TabPyError `bad-request` while an alias stands for it. */
  async remove(name: string): Promise<void> {
    await this.#change(async (endpoints, set) => {
      if (!endpoints.has(name)) throw new TabPyError("not-found", `endpoint ${name} does not exist.`);
      const users = [...endpoints.values()].filter(
        (one) => one.name !== name && (one.target === name || one.dependencies.includes(name)),
      );
      if (users.length > 0) {
        const names = users.map((one) => `'${one.name}'`).join(", ");
        throw new TabPyError(
          "bad-request",
          `Cannot remove endpoint ${name}, it is currently used by [${names}] endpoints.`,
        );
      }
      set(name, undefined);
    });
    this.#options.audit(`Endpoint ${name} removed`);
    await this.#archives.removeBut(name, []);
    await rm(dirname(this.staging.folderOf(name, "x")), { recursive: true, force: true });
  }

  /** Take up what another process has written to the state file. */
  async refresh(): Promise<void> {
    const { statePath, log } = this.#options;
    try {
      const seen = await stateStampLater(statePath);
      if (seen === this.#stamp || seen === undefined) return;
      const stamp = stateStamp(statePath); // with what is read next; a change of our own may have come between
      const endpoints = endpointsOf(readState(statePath));
      if (stamp === this.#stamp) return;
      this.#stamp = stamp;
      this.#saidFault = "";
      this.#adopt(endpoints);
    } catch (error) {
      // What is known goes on serving; the file is looked at again.
      if (errorText(error) !== this.#saidFault) log.error(errorText(error));
      this.#saidFault = errorText(error);
    }
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
    const planned = edit(this.#endpoints);
    const { name } = planned;
    const prepared =
      source && (await this.#archives.prepare(name, source.folder, source.isUploaded, request.facts));
    if (source !== undefined) this.staging.forget(source);
    let aside: string | undefined;
    let endpoint: Endpoint;
    try {
      endpoint = await this.#change(async (endpoints, set) => {
        const changed = edit(endpoints);
        if (prepared) aside = await this.#archives.install(name, changed.version, prepared);
        set(name, changed);
        return changed;
      }, name);
    } catch (error) {
      if (prepared) await this.#archives.discard(prepared);
      throw error;
    }
    const { version } = endpoint;
    this.#options.audit(`Endpoint ${name} ${what}, version ${version}, type ${endpoint.type}`);
    if (prepared) {
      const before = aside === undefined ? undefined : modelIn(aside, name, version);
      this.#loads.loadDeployed(endpoint, this.#loads.serving(name)?.version === version ? before : undefined);
    }
    return { [name]: endpointBody(endpoint) };
  }

  /** One change: on top of what the file holds now, written before it is known here. */
  async #change<T>(
    edit: (endpoints: Endpoints, set: (name: string, endpoint: Endpoint | undefined) => void) => Promise<T>,
    own?: string,
  ): Promise<T> {
    const { statePath } = this.#options;
    return withLock(statePathOf(statePath), async () => {
      const state = readState(statePath);
      const endpoints = new Map(endpointsOf(state));
      const result = await edit(endpoints, (name, endpoint) => {
        setEndpoint(state, name, endpoint);
        if (endpoint === undefined) endpoints.delete(name);
        else endpoints.set(name, endpoint);
      });
      await writeState(statePath, state);
      this.#stamp = stateStamp(statePath);
      this.#adopt(endpoints, own);
      return result;
    });
  }

  /** `endpoints` hold from now on; what another process deployed is loaded. `own` is what this one deploys itself. */
  #adopt(endpoints: Endpoints, own?: string): void {
    const before = this.#endpoints;
    this.#endpoints = endpoints;
    this.#revision++;
    for (const name of before.keys()) if (!endpoints.has(name)) this.#loads.forget(name);
    for (const [name, endpoint] of endpoints) {
      if (name === own || endpoint.type === "alias") continue;
      const old = before.get(name);
      const isSame = old?.version === endpoint.version && old.lastModifiedTime === endpoint.lastModifiedTime;
      if (!isSame) this.#loads.loadDeployed(endpoint);
    }
  }

  #statusOf(endpoint: Endpoint): Shown {
    const { name, version, type } = endpoint;
    if (type !== "alias")
      return this.#loads.status(name) ?? { version, type, status: "LoadInProgress", last_error: null };
    const resolution = this.resolve(name);
    if (resolution.kind !== "unknown") return { version, type, status: "LoadSuccessful", last_error: null };
    const last_error = `Load failed: there is no endpoint ${endpoint.target}`;
    return { version, type, status: "LoadFailed", last_error };
  }

  #removeOthers({ name, version }: Model): void {
    this.#archives
      .removeBut(name, [version])
      .catch((error) =>
        this.#options.log.warning(`Cannot remove old archives of endpoint ${name}: ${errorText(error)}`),
      );
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

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
