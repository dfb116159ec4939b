// A deployed function as the registry knows it: what of it stands in state.ini and in the answers of the management
// API, and the rules for its members. Where the records lie is state.ts's affair.

import { numberOf } from "../python-json.ts";

/** An endpoint; the members that TabPy gives it, and whatever else its record in state.ini holds. */
export interface Endpoint {
  readonly name: string;
  readonly description: string;
  /** `model` or `alias`; a state file may hold others, which don't load. */
  readonly type: string;
  readonly version: number;
  readonly dependencies: readonly string[];
  /** The endpoint that an alias stands for. */
  readonly target: string | null;
  /** Seconds since 1970. */
  readonly creationTime: number;
  readonly lastModifiedTime: number;
  /** JSON with its numbers as they were written (parseExactJson); undefined in records of an older TabPy. */
  readonly schema: unknown;
  /** Undefined in records of an older TabPy. */
  readonly isPublic: boolean | undefined;
  readonly docstring: string;
  /** Members of the record that mean nothing here, kept for the server that wrote them. */
  readonly others: Readonly<Record<string, unknown>>;
}

/** A folder's name, and one that configparser reads back. */
const namePattern = /^[A-Za-z0-9_-](?:[A-Za-z0-9_ -]*[A-Za-z0-9_-])?$/;
/** Longer ones are no folder's name on the usual file systems. */
export const maxNameLength = 255;

export function isEndpointName(name: string): boolean {
  return name.length <= maxNameLength && namePattern.test(name);
}

const own = new Set([
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
]);

/** The record in state.ini: all but name and docstring, which lie beside it. */
export function endpointRecord(endpoint: Endpoint): Readonly<Record<string, unknown>> {
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
    ...endpoint.others,
  };
}

/** The endpoint as the management API shows it. */
export function endpointBody(endpoint: Endpoint): Readonly<Record<string, unknown>> {
  const { others: _, ...shown } = endpoint;
  return { ...endpointRecord({ ...shown, others: {} }), docstring: endpoint.docstring };
}

/** An endpoint from its record. What a record lacks stays away. */
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
    others: Object.fromEntries(Object.entries(record).filter(([member]) => !own.has(member))),
  };
}
