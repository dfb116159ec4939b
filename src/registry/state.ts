// state.ini: the records of all endpoints, in TabPy's format. Read whole and written whole; who may write when is
// registry.ts's affair. Sections and options that mean nothing here stay as they are.

import { type BigIntStats, readFileSync, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, errorText, TabPyError } from "../errors.ts";
import { writeDurably } from "../files.ts";
import { escapeValue, formatIni, type IniFile, parseIni } from "../ini.ts";
import { parseExactJson, pythonJson } from "../python-json.ts";
import { escapeDocstring, noDocstring, unescapeDocstring } from "./docstring.ts";
import { type Endpoint, endpointRecord, parseEndpoint } from "./endpoint.ts";

const versions = "Query Objects Service Versions";
const docstrings = "Query Objects Docstrings";
const meta = "Meta";
const revision = "Revision Number";

/** What a state folder without state.ini begins with: TabPy's own defaults. */
const emptyState = `[Service Info]
Name = TabPy Server
Description =
Creation Time = 0
Access-Control-Allow-Origin =
Access-Control-Allow-Headers =
Access-Control-Allow-Methods =

[${versions}]

[${docstrings}]

[${meta}]
${revision} = 1
`;

export type Endpoints = ReadonlyMap<string, Endpoint>;

export function statePathOf(folder: string): string {
  return join(folder, "state.ini");
}

/** Tells one version of the file from another; undefined when there is none. */
export function stateStamp(folder: string): string | undefined {
  const found = statSync(statePathOf(folder), { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : stampOf(found);
}

/** The same without waiting for the disk. */
export async function stateStampLater(folder: string): Promise<string | undefined> {
  try {
    return stampOf(await stat(statePathOf(folder), { bigint: true }));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function stampOf({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs}`;
}

/** The file's text as sections. Throws TabPyError `config` with its line when it is there and can't be read. */
export function readState(folder: string): IniFile {
  const path = statePathOf(folder);
  try {
    return parseIni(readFileSync(path, "utf8"), { keepCase: true, source: path });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return parseIni(emptyState, { keepCase: true, source: path });
    if (error instanceof TabPyError) throw error;
    throw new TabPyError("config", `Cannot read the state file "${path}": ${errorText(error)}`, {
      cause: error,
    });
  }
}

/** The endpoints of a state file, in its order. Throws TabPyError `config` with the line of a faulty record. */
export function endpointsOf(state: IniFile): Endpoints {
  const endpoints = new Map<string, Endpoint>();
  for (const [name] of state.ownOptions(versions)) {
    const record = recordOf(state, name);
    const docstring = state.get(docstrings, name);
    endpoints.set(
      name,
      parseEndpoint(name, record, docstring === undefined ? noDocstring : unescapeDocstring(docstring)),
    );
  }
  return endpoints;
}

function recordOf(state: IniFile, name: string): Readonly<Record<string, unknown>> {
  const fault = (wanted: string) =>
    new TabPyError(
      "config",
      `Cannot read the endpoint "${name}" ("${state.source}" line ${state.lineOf(versions, name)}): expected ${wanted}`,
    );
  let record: unknown;
  try {
    record = parseExactJson(state.get(versions, name) ?? "");
  } catch (error) {
    if (error instanceof TabPyError) throw error;
    throw fault(`JSON, got ${errorText(error)}`);
  }
  if (typeof record !== "object" || record === null || Array.isArray(record)) throw fault("a JSON object");
  return record as Readonly<Record<string, unknown>>;
}

/** Put `endpoint` into `state`, or take `name` out when it is undefined. */
export function setEndpoint(state: IniFile, name: string, endpoint: Endpoint | undefined): void {
  if (endpoint === undefined) {
    state.remove(versions, name);
    state.remove(docstrings, name);
    return;
  }
  state.set(versions, name, escapeValue(pythonJson(endpointRecord(endpoint))));
  state.set(docstrings, name, escapeValue(escapeDocstring(endpoint.docstring)));
}

/** Write `state` with a higher revision number, durably. */
export async function writeState(folder: string, state: IniFile): Promise<void> {
  state.set(meta, revision, String(revisionOf(state) + 1));
  const path = statePathOf(folder);
  const old = statSync(path, { throwIfNoEntry: false });
  await writeDurably(path, formatIni(state), old === undefined ? undefined : old.mode & 0o777);
}

function revisionOf(state: IniFile): number {
  return Number.parseInt(state.raw(meta, revision) ?? "0", 10) || 0;
}
