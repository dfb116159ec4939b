// The bodies of POST /endpoints and PUT /endpoints/{name}: checked, with TabPy's messages for what is wrong, and
// applied to an endpoint. registry.ts decides what is deployed and when.

import { TabPyError } from "../errors.ts";
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

/** Everything but the name. Throws TabPyError `bad-request` for members of a wrong type. */
export function parseEndpointRequest(body: unknown): EndpointRequest {
  if (!isObject(body)) throw refused("Failed to decode input body", "expected a JSON object");
  const sourcePath = given(body, "src_path");
  if (sourcePath !== undefined && typeof sourcePath !== "string") throw refused("src_path must be a string.");
  const type = given(body, "type");
  if (type !== undefined && typeof type !== "string") throw refusedChange("endpoint type must be a string.");
  if (type !== undefined && type !== "model" && type !== "alias") {
    throw refusedChange(`endpoint type must be model or alias, got ${type}.`);
  }
  const schema = given(body, "schema");
  if (isDeeper(schema, maxSchemaDepth)) throw refusedChange("schema is nested too deeply.");
  const isPublic = given(body, "is_public");
  if (isPublic !== undefined && typeof isPublic !== "boolean")
    throw refusedChange("is_public must be true or false.");
  const dependencies = given(body, "dependencies");
  if (dependencies !== undefined && !isNames(dependencies))
    throw refusedChange("dependencies must be a list.");
  return {
    type,
    description: text(body, "description"),
    docstring: text(body, "docstring"),
    dependencies,
    target: text(body, "target"),
    schema,
    isPublic,
    sourcePath,
    facts: { ...fact(body, "python"), ...fact(body, "cloudpickle") },
  };
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
  isNewVersion: boolean,
  endpoints: Endpoints,
): Endpoint {
  const endpoint = {
    ...old,
    description: request.description ?? old.description,
    version: isNewVersion ? old.version + 1 : old.version,
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
  const target = request.target ?? request.dependencies?.[0] ?? endpoint.target;
  if (target === null) throw refusedChange("target must be the name of an endpoint.");
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

/** Whether a PUT asks for a new version. */
export function wantsNewVersion(body: unknown): boolean {
  return isObject(body) && body.should_update_version === true;
}

/** TabPy's client sends `null` for members that it leaves out. */
function given(body: Body, member: string): unknown {
  return body[member] ?? undefined;
}

function text(body: Body, member: string): string | undefined {
  const value = given(body, member);
  if (value === undefined || typeof value === "string") return value;
  throw refusedChange(`${member} must be a string.`);
}

function fact(body: Body, name: "python" | "cloudpickle"): DeploymentFacts {
  const version = body[`${name}_version`];
  if (typeof version !== "string" || version.length > maxFactChars) return {};
  return { [name]: version };
}

function isObject(value: unknown): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
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
