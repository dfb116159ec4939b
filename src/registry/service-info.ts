// The [Service Info] section of the state file: the service's name, its CORS headers, its subdirectory. Only
// read here; a state folder without the file is a new one.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, errorText, TabPyError } from "../errors.ts";
import { type IniFile, parseIni } from "../ini.ts";

export interface ServiceInfo {
  readonly name: string;
  readonly description: string;
  /** Seconds since 1970 as text, as the state file has it. */
  readonly creationTime: string;
  /** CORS headers by name; those that are not configured are missing. */
  readonly corsHeaders: Readonly<Record<string, string>>;
  /** What stands before every path: "" or "/sub". */
  readonly prefix: string;
}

const section = "Service Info";
const corsNames = [
  "Access-Control-Allow-Origin",
  "Access-Control-Allow-Headers",
  "Access-Control-Allow-Methods",
];
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const subdirectory = /^[A-Za-z0-9._~/-]*$/;

/** Read `state.ini` below `statePath`. Throws TabPyError `config` when it is there and can't be read or used. */
export function readServiceInfo(statePath: string): ServiceInfo {
  const path = join(statePath, "state.ini");
  const state = readState(path);
  const value = (option: string) =>
    state?.hasSection(section) ? (state.get(section, option) ?? "").trim() : "";
  const refuse = (option: string, wanted: string) =>
    new TabPyError(
      "config",
      `Cannot use ${option} "${value(option)}" (${path} line ${state?.lineOf(section, option)}): expected ${wanted}`,
    );

  const corsHeaders: Record<string, string> = {};
  for (const name of corsNames) {
    if (!headerValue.test(value(name))) throw refuse(name, "one line of text");
    if (value(name) !== "") corsHeaders[name] = value(name);
  }
  const folder = value("Subdirectory").replace(/^\/+|\/+$/g, "");
  if (!subdirectory.test(folder)) throw refuse("Subdirectory", "letters, digits and . _ ~ - /");
  return {
    name: value("Name") || "TabPy Server",
    description: value("Description"),
    creationTime: value("Creation Time") || "0",
    corsHeaders,
    prefix: folder === "" ? "" : `/${folder}`,
  };
}

function readState(path: string): IniFile | undefined {
  try {
    return parseIni(readFileSync(path, "utf8"), { keepCase: true, source: path });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    if (error instanceof TabPyError) throw error;
    throw new TabPyError("config", `Cannot read the state file "${path}": ${errorText(error)}`, {
      cause: error,
    });
  }
}
