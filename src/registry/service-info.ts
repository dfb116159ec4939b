// The [Service Info] section of the state file: the service's name, its CORS headers, its subdirectory. It is read
// once, at start-up, and never written.

import { TabPyError } from "../errors.ts";
import { readBelievedState } from "./state-copy.ts";

export interface ServiceInfo {
  readonly name: string;
  readonly description: string;
  /** Seconds since 1970, as the state file spells them. */
  readonly creationTime: string;
  /** CORS headers by name, without those that are not configured. */
  readonly corsHeaders: Readonly<Record<string, string>>;
  /** The prefix of every path: "" or "/sub". */
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

/** Read it from `state.ini` in `statePath`. Throws TabPyError `config` for a file that can't be read or used. */
export function readServiceInfo(statePath: string): ServiceInfo {
  const { state } = readBelievedState(statePath);
  const value = (option: string) =>
    state.hasSection(section) ? (state.get(section, option) ?? "").trim() : "";
  const refuse = (option: string, wanted: string) =>
    new TabPyError(
      "config",
      `Cannot use ${option} "${value(option)}" (${state.source} line ${state.lineOf(section, option)}): expected ${wanted}`,
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
