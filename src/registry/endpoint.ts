// A deployed function or alias: its record in state.ini, its form in the management API, and the rules for its
// members. state.ts reads and writes the records.

import { numberOf } from "../python-json.ts";

/** The members that TabPy gives an endpoint, and whatever else its record in state.ini has. */
export interface Endpoint {
  readonly name: string;
  readonly description: string;
  /** `model` or `alias`; a state file may have other types, which don't load. */
  readonly type: string;
  readonly version: number;
  readonly dependencies: readonly string[];
  /** The endpoint that an alias refers to. */
  readonly target: string | null;
  /** Seconds since 1970. */
  readonly creationTime: number;
  readonly lastModifiedTime: number;
  /** JSON whose numbers keep their spelling (parseExactJson); undefined in records of an older TabPy. */
  readonly schema: unknown;
  /** Undefined in records of an older TabPy. */
  readonly isPublic: boolean | undefined;
  readonly docstring: string;
  /** Unknown members of the record, kept for the server that wrote them. */
  readonly others: Readonly<Record<string, unknown>>;
}

export type Endpoints = ReadonlyMap<string, Endpoint>;

/** An endpoint as the management API shows it. */
export interface EndpointBody {
  readonly description: string;
  readonly type: string;
  readonly version: number;
  readonly dependencies: readonly string[];
  readonly target: string | null;
  readonly creation_time: number;
  readonly last_modified_time: number;
  readonly schema: unknown;
  readonly is_public: boolean | undefined;
  readonly docstring: string;
}

/** Valid as a folder's name and as an option that configparser reads back. */
const namePattern = /^[A-Za-z0-9_-](?:[A-Za-z0-9_ -]*[A-Za-z0-9_-])?$/;
/** The limit of the usual file systems. */
export const maxNameLength = 255;

export function isEndpointName(name: string): boolean {
  return name.length <= maxNameLength && namePattern.test(name);
}

const knownMembers = new Set<string>([
  "description",
  "type",
  "version",
  "dependencies",
  "target",
  "creation_time",
  "last_modified_time",
  "schema",
  "is_public",
  "docstring",
] satisfies (keyof EndpointBody)[]);

export function endpointBody(endpoint: Endpoint): EndpointBody {
  return {
    description: endpoint.description,
    type: endpoint.type,
    version: endpoint.version,
    dependencies: endpoint.dependencies,
    target: endpoint.target,
    creation_time: endpoint.creationTime,
    last_modified_time: endpoint.lastModifiedTime,
    schema: endpoint.schema,
    is_public: endpoint.isPublic,
    docstring: endpoint.docstring,
  };
}

/** The record in state.ini. Name and docstring are kept beside it. */
export function endpointRecord(endpoint: Endpoint): Readonly<Record<string, unknown>> {
  const { docstring: _, ...record } = endpointBody(endpoint);
  return { ...record, ...endpoint.others };
}

/** The endpoint that `name` leads to through aliases; undefined when one of them doesn't exist, `circle` for a loop. */
export function followAliases(name: string, endpoints: Endpoints): Endpoint | "circle" | undefined {
  let endpoint = endpoints.get(name);
  for (let steps = 0; endpoint?.type === "alias"; steps++) {
    if (steps > endpoints.size) return "circle";
    endpoint = endpoints.get(endpoint.target ?? "");
  }
  return endpoint;
}

/** An endpoint from its record, with defaults for members that are missing or of a wrong type. */
export function parseEndpoint(
  name: string,
  record: Readonly<Record<string, unknown>>,
  docstring: string,
): Endpoint {
  const { description, type, dependencies, target } = record;
  const isNames = Array.isArray(dependencies) && dependencies.every((one) => typeof one === "string");
  return {
    name,
    description: typeof description === "string" ? description : "",
    type: typeof type === "string" ? type : "model",
    version: numberOf(record.version) ?? 1,
    dependencies: isNames ? dependencies : [],
    target: typeof target === "string" ? target : null,
    creationTime: numberOf(record.creation_time) ?? 0,
    lastModifiedTime: numberOf(record.last_modified_time) ?? 0,
    schema: record.schema,
    isPublic: typeof record.is_public === "boolean" ? record.is_public : undefined,
    docstring,
    others: Object.fromEntries(Object.entries(record).filter(([member]) => !knownMembers.has(member))),
  };
}
