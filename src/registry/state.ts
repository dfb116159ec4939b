// state.ini: the records of all endpoints, in TabPy's format. The file is read and written as a whole; store.ts decides
// when it is written. Unknown sections and options are kept.

import { type BigIntStats, readFileSync, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, errorText, TabPyError } from "../errors.ts";
import { writeDurably } from "../files.ts";
import { escapeValue, formatIni, type IniFile, parseIni } from "../ini.ts";
import { parseExactJson, pythonJson } from "../python-json.ts";
import { escapeDocstring, noDocstring, unescapeDocstring } from "./docstring.ts";
import { type Endpoint, type Endpoints, endpointRecord, parseEndpoint } from "./endpoint.ts";

const versions = "Query Objects Service Versions";
const docstrings = "Query Objects Docstrings";
export const metaSection = "Meta";
const revision = "Revision Number";

/** The contents for a state folder without state.ini: TabPy's own defaults. */
const emptyState = `[Service Info]
Name = TabPy Server
Description =
Creation Time = 0
Access-Control-Allow-Origin =
Access-Control-Allow-Headers =
Access-Control-Allow-Methods =

[${versions}]

[${docstrings}]

[${metaSection}]
${revision} = 1
`;

export function statePathOf(folder: string): string {
  return join(folder, "state.ini");
}

/** Differs between two versions of a file; undefined when it doesn't exist. */
export type StateStamp = string | undefined;

export function stateStamp(folder: string): StateStamp {
  return stampOfFile(statePathOf(folder));
}

export function stampOfFile(path: string): StateStamp {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : stampOf(found);
}

/** The same without blocking. */
export async function stateStampLater(folder: string): Promise<StateStamp> {
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

/** The file, or TabPy's defaults when it doesn't exist. Throws TabPyError `config`, with the line for faulty syntax. */
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

export function endpointNamesOf(state: IniFile): string[] {
  return state.ownOptions(versions).map(([name]) => name);
}

/** The endpoints of a state file in the file's order. Throws TabPyError `config` with the line of a faulty record. */
export function endpointsOf(state: IniFile): Endpoints {
  const endpoints = new Map<string, Endpoint>();
  for (const name of endpointNamesOf(state)) {
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

/** Set the record of `name` in `state`, or remove it for undefined. */
export function setEndpoint(state: IniFile, name: string, endpoint: Endpoint | undefined): void {
  if (endpoint === undefined) {
    state.remove(versions, name);
    state.remove(docstrings, name);
    return;
  }
  state.set(versions, name, escapeValue(pythonJson(endpointRecord(endpoint))));
  state.set(docstrings, name, escapeValue(escapeDocstring(endpoint.docstring)));
}

/** Write `state` durably, with the next revision number. Resolves with the text of the file. */
export async function writeState(folder: string, state: IniFile): Promise<string> {
  state.set(metaSection, revision, String(revisionOf(state) + 1));
  const path = statePathOf(folder);
  const old = statSync(path, { throwIfNoEntry: false });
  const text = formatIni(state);
  await writeDurably(path, text, old === undefined ? undefined : old.mode & 0o777);
  return text;
}

function revisionOf(state: IniFile): number {
  return Number.parseInt(state.raw(metaSection, revision) ?? "0", 10) || 0;
}
