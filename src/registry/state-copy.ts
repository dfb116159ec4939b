// state.ini.bak, a copy of the last state.ini that was believed, and the rule for a state.ini that isn't: it has lost so
// much that a program other than a server has probably cut it off. A server writes the copy after state.ini, so a
// state.ini that equals it was written by a server, or accepted by an administrator (src/cli/state.ts). TabPy ignores it.

import { readFileSync, statSync } from "node:fs";
import { TabPyError } from "../errors.ts";
import { writeDurably } from "../files.ts";
import { type IniFile, parseIni } from "../ini.ts";
import {
  endpointNamesOf,
  metaSection,
  readState,
  type StateStamp,
  stampOfFile,
  stateStamp,
  statePathOf,
} from "./state.ts";

/** A state file with fewer functions may lose any number of them. */
const minFunctions = 4;

/** What is compared of two versions of the state file. */
export interface Contents {
  readonly functions: readonly string[];
  readonly sections: readonly string[];
}

/** The state file at a start. */
export interface BelievedState {
  /** The file itself, or its copy when the file isn't believed. */
  readonly state: IniFile;
  /** Of the file; undefined when it doesn't exist. */
  readonly stamp: StateStamp;
  /** Why the file isn't believed. */
  readonly doubt: TabPyError | undefined;
}

export function copyPathOf(folder: string): string {
  return `${statePathOf(folder)}.bak`;
}

/** Differs between two versions of the copy; undefined when there is none. */
export function copyStamp(folder: string): StateStamp {
  return stampOfFile(copyPathOf(folder));
}

export function contentsOf(state: IniFile): Contents {
  return { functions: endpointNamesOf(state), sections: state.sections() };
}

/**
 * What `after` has lost that no server removes in one step, or undefined: more than half of the functions, the section
 * [Meta], which is the last one, or all sections.
 */
export function lossOf(before: Contents, after: Contents): string | undefined {
  if (after.sections.length === 0 && before.sections.length > 0) return "all its sections";
  const left = new Set(after.functions);
  const all = before.functions.length;
  const lost = before.functions.filter((name) => !left.has(name)).length;
  if (all >= minFunctions && lost * 2 > all) return `${lost} of its ${all} functions`;
  const hadMeta = before.sections.includes(metaSection);
  return hadMeta && !after.sections.includes(metaSection) ? `its section [${metaSection}]` : undefined;
}

/** The error for a change while the state file isn't believed, because of `loss`. */
export function doubtOf(folder: string, loss: string): TabPyError {
  return new TabPyError(
    "unavailable",
    `Cannot use the state file "${statePathOf(folder)}", which has lost ${loss}: restore it from ` +
      `"${copyPathOf(folder)}", or run "tabpy state accept" to use it as it is`,
  );
}

/** Whether the state file and its copy are equal. */
export function isCopied(folder: string): boolean {
  try {
    return readFileSync(statePathOf(folder)).equals(readFileSync(copyPathOf(folder)));
  } catch {
    return false;
  }
}

/** Write the copy durably, with the owner and the mode of the state file. The caller has locked that. */
export async function writeCopy(folder: string, text: string | Uint8Array): Promise<void> {
  const { mode, uid, gid } = statSync(statePathOf(folder));
  await writeDurably(copyPathOf(folder), text, mode & 0o777, { uid, gid });
}

/** The state file at a start, compared with its copy. Throws TabPyError `config`, with the line for faulty syntax. */
export function readBelievedState(folder: string): BelievedState {
  const stamp = stateStamp(folder);
  const state = readState(folder);
  const copy = readCopy(folder);
  const loss = copy && lossOf(contentsOf(copy), contentsOf(state));
  if (copy === undefined || loss === undefined) return { state, stamp, doubt: undefined };
  return { state: copy, stamp, doubt: doubtOf(folder, loss) };
}

/** The copy; undefined when there is none that can be read. */
export function readCopy(folder: string): IniFile | undefined {
  const path = copyPathOf(folder);
  try {
    return parseIni(readFileSync(path, "utf8"), { keepCase: true, source: path });
  } catch {
    return undefined;
  }
}
