// The bodies of POST /endpoints and PUT /endpoints/{name}: checked, with TabPy's messages for what is wrong, and
// applied to an endpoint. registry.ts decides what is deployed and when.

import { TabPyError } from "../errors.ts";
import { numberOf } from "../python-json.ts";
import type { DeploymentFacts } from "./archives.ts";
import { noDocstring } from "./docstring.ts";
import { type Endpoint, type Endpoints, followAliases, isEndpointName, maxNameLength } from "./endpoint.ts";

/** The members of a body; undefined for those that it leaves out. */
export interface EndpointRequest {
  readonly type: "model" | "alias" | undefined;
  readonly description: string | undefined;
  readonly docstring: string | undefined;
  readonly dependencies: readonly string[] | undefined;
  readonly target: string | undefined;
  readonly schema: unknown;
  readonly isPublic: boolean | undefined;
  readonly sourcePath: string | undefined;
  readonly facts: DeploymentFacts;
}

type Body = Readonly<Record<string, unknown>>;

/** TabPy reads the state file too, and Python's json fails at about 1000 levels. */
const maxSchemaDepth = 500;
/** The highest version that an archive can be uploaded for (staging.ts). */
const maxVersion = 999_999_999;
/** A longer text is not a version, and is ignored. */
const maxFactChars = 64;

/** The name of an endpoint to add. Throws TabPyError `bad-request`. */
export function parseName(body: unknown): string {
  const name = isObject(body) ? body.name : undefined;
  if (name === undefined) throw refused("name is required to add an endpoint.");
  if (typeof name !== "string") throw refused("endpoint name must be a string.");
  if (!isEndpointName(name)) {
    const info = name.length > maxNameLength ? `at most ${maxNameLength} characters` : {};
    throw refused(
      "endpoint name can only contain: a-z, A-Z, 0-9, underscore, hyphens and spaces.",
      /^ | $/.test(name) ? "no spaces at its ends" : info,
    );
  }
  return name;
}

/**
 * Everything but the name, checked in TabPy's order, so that a body with several faults gets the same message.
 *
 * @param old the endpoint that a PUT changes.
 * @throws TabPyError `bad-request`.
 */
export function parseEndpointRequest(body: unknown, old?: Endpoint): EndpointRequest {
  if (!isObject(body)) throw refused("Failed to decode input body", "expected a JSON object");
  const kind = given(body, "type") ?? old?.type;
  const sourcePath = parseSourcePath(body);
  if (sourcePath === undefined && kind !== "alias") {
    throw refused("src_path is required to add/update an endpoint.");
  }
  const target = kind === "alias" ? parseTarget(body) : undefined;
  // A PUT that doesn't say what it changes to keeps the target.
  if (kind === "alias" && target === undefined && (old === undefined || given(body, "type") !== undefined)) {
    throw refused("Target is required for alias endpoint.");
  }
  const description = text(body, "description");
  const docstring = text(body, "docstring");
  const type = parseType(body, old);
  const dependencies = parseDependencies(body);
  if (kind !== "alias") text(body, "target"); // it has no effect
  const schema = given(body, "schema");
  if (isDeeper(schema, maxSchemaDepth)) throw refusedChange("schema is nested too deeply.");
  const isPublic = given(body, "is_public");
  if (isPublic !== undefined && typeof isPublic !== "boolean")
    throw refusedChange("is_public must be true or false.");
  return {
    type,
    description,
    docstring,
    dependencies,
    target,
    schema,
    isPublic,
    sourcePath,
    facts: { ...fact(body, "python"), ...fact(body, "cloudpickle") },
  };
}

/** A path that is empty or blank counts as missing. */
function parseSourcePath(body: Body): string | undefined {
  const path = optional(body, "src_path");
  if (path !== undefined && typeof path !== "string") throw refused("src_path must be a string.");
  return path?.trim() === "" ? undefined : path;
}

/** The target of an alias; TabPy's client sends it as the only dependency too. */
function parseTarget(body: Body): string | undefined {
  const target = optional(body, "target");
  if (target !== undefined && typeof target !== "string") throw refusedChange("target must be a string.");
  const dependencies = given(body, "dependencies");
  return target ?? (isNames(dependencies) ? dependencies[0] : undefined);
}

/** An empty list is a list. */
function parseDependencies(body: Body): readonly string[] | undefined {
  if (isNames(body.dependencies)) return body.dependencies;
  if (optional(body, "dependencies") === undefined) return undefined;
  throw refusedChange("dependencies must be a list.");
}

function parseType(body: Body, old: Endpoint | undefined): EndpointRequest["type"] {
  const type = optional(body, "type");
  if (type === undefined && old !== undefined) return undefined;
  if (typeof type !== "string") throw refusedChange("endpoint type must be a string.");
  if (type !== "model" && type !== "alias") {
    throw refusedChange(`endpoint type must be model or alias, got ${type}.`);
  }
  return type;
}

/** The endpoint that a POST creates. Throws TabPyError `bad-request` for an alias with a wrong target. */
export function newEndpoint(
  name: string,
  type: string,
  request: EndpointRequest,
  endpoints: Endpoints,
): Endpoint {
  const now = nowSeconds();
  const endpoint = {
    name,
    description: request.description ?? "",
    type,
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
  return withTarget(endpoint, request, endpoints);
}

/** The endpoint after a PUT, which keeps what the request leaves out. Throws as `newEndpoint` does. */
export function changedEndpoint(
  old: Endpoint,
  request: EndpointRequest,
  version: number,
  endpoints: Endpoints,
): Endpoint {
  const endpoint = {
    ...old,
    description: request.description ?? old.description,
    version,
    dependencies: request.dependencies ?? old.dependencies,
    lastModifiedTime: nowSeconds(),
    schema: request.schema ?? old.schema,
    isPublic: request.isPublic ?? old.isPublic,
    docstring: request.docstring ?? old.docstring,
  };
  return withTarget(endpoint, request, endpoints);
}

/** Gives an alias its target, which must exist and not lead back to it. A model stays as it is. */
function withTarget(endpoint: Endpoint, request: EndpointRequest, endpoints: Endpoints): Endpoint {
  if (endpoint.type !== "alias") return endpoint;
  const target = request.target ?? endpoint.target;
  if (target === null) throw refused("Target is required for alias endpoint.");
  const alias = { ...endpoint, target, dependencies: [target] };
  const found = followAliases(alias.name, new Map(endpoints).set(alias.name, alias));
  if (found === "circle") throw refusedChange(`target ${target} leads back to ${alias.name}.`);
  if (found === undefined) throw refusedChange(`target endpoint ${target} does not exist.`);
  return alias;
}

/** Throws TabPyError `bad-request` when `name` exists. */
export function refuseTaken(name: string, endpoints: Endpoints): void {
  if (endpoints.has(name)) throw refused(`endpoint ${name} already exists.`);
}

/** The endpoint `name`. Throws TabPyError `not-found` when it doesn't exist. */
export function existingEndpoint(name: string, endpoints: Endpoints): Endpoint {
  const endpoint = endpoints.get(name);
  if (endpoint === undefined) throw new TabPyError("not-found", `endpoint ${name} does not exist.`);
  return endpoint;
}

/** Throws TabPyError `bad-request` when another endpoint depends on this one. */
export function refuseUsed({ name }: Endpoint, endpoints: Endpoints): void {
  const users = [...endpoints.values()].filter(
    (one) => one.name !== name && (one.target === name || one.dependencies.includes(name)),
  );
  if (users.length === 0) return;
  const names = users.map((one) => `'${one.name}'`).join(", ");
  throw refused(`Cannot remove endpoint ${name}, it is currently used by [${names}] endpoints.`);
}

/** The error for a folder to deploy from that isn't there. */
export function missingSource({ sourcePath }: EndpointRequest): TabPyError {
  return refused(`src_path ${sourcePath} does not exist.`);
}

/**
 * The version that a PUT makes: the next one if it asks for that. TabPy's clients before 2.12 know no
 * `should_update_version`: they ask for the version that is there, and send a higher one.
 */
export function versionAfter(old: Endpoint, body: unknown): number {
  if (!isObject(body)) return old.version;
  if (body.should_update_version === true) return old.version + 1;
  const wanted = numberOf(body.version);
  const isOld = given(body, "should_update_version") === undefined;
  if (!isOld || wanted === undefined || !Number.isInteger(wanted)) return old.version;
  return wanted <= maxVersion ? Math.max(wanted, old.version) : old.version;
}

/** TabPy's client sends `null` for members that it leaves out. */
function given(body: Body, member: string): unknown {
  return body[member] ?? undefined;
}

/** Python's truth, by which TabPy checks: a member that is empty, zero or false counts as one that is left out. */
function optional(body: Body, member: string): unknown {
  const value = given(body, member);
  if (value === "" || value === false || numberOf(value) === 0) return undefined;
  return typeof value === "object" && Object.keys(value ?? {}).length === 0 ? undefined : value;
}

/** An empty text is a text. */
function text(body: Body, member: string): string | undefined {
  const value = body[member] === "" ? "" : optional(body, member);
  if (value === undefined || typeof value === "string") return value;
  throw refusedChange(`${member} must be a string.`);
}

function fact(body: Body, name: "python" | "cloudpickle"): DeploymentFacts {
  const version = body[`${name}_version`];
  if (typeof version !== "string" || version.length > maxFactChars) return {};
  return { [name]: version };
}

function isObject(value: unknown): value is Body {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && numberOf(value) === undefined
  );
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((part) => isDeeper(part, levels - 1));
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

/** An error with TabPy's prefix for changes that it refuses. */
export function refusedChange(message: string): TabPyError {
  return refused(`Error when changing TabPy state: ${message}`);
}

function refused(message: string, info: unknown = {}): TabPyError {
  return new TabPyError("bad-request", message, { info });
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
