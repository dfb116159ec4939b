// Finds the user's Python: from TABPY_PYTHON or the usual names to a command that can be spawned; and checks that it is
// a Python on which the worker program runs.

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, sep } from "node:path";
import { TabPyError } from "../../errors.ts";
import type { HelloHeader } from "../channel/messages.ts";

/** A program and its first arguments. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

const defaultCommands: readonly string[] =
  process.platform === "win32" ? ["python3", "python", "py -3"] : ["python3", "python"];

const wanted = "CPython 3.9 or newer";
const remedy = "set TABPY_PYTHON to the path of one";

/**
 * The commands to try, in order; each one exists.
 *
 * @param setting TABPY_PYTHON: a path, or a command with arguments; undefined for the usual names.
 * @param env where PATH is looked up.
 * @throws TabPyError `config` when there is none.
 */
export function findCommands(setting: string | undefined, env: NodeJS.ProcessEnv): Command[] {
  if (setting !== undefined) {
    const command = findCommand(setting, env);
    if (command !== undefined) return [command];
    throw new TabPyError(
      "config",
      `Cannot find TABPY_PYTHON "${setting}": expected the path or the command of ${wanted}`,
    );
  }
  const found = defaultCommands.flatMap((name) => findCommand(name, env) ?? []);
  if (found.length > 0) return found;
  const names = defaultCommands.join(", ");
  throw new TabPyError(
    "config",
    `Cannot find Python: no ${names} on the PATH; install ${wanted}, or ${remedy}`,
  );
}

/** Why this interpreter can't be used; undefined when it can. */
export function unsuitable(command: Command, hello: HelloHeader): string | undefined {
  const [major, minor] = hello.version;
  if (hello.implementation === "cpython" && (major > 3 || (major === 3 && minor >= 9))) return undefined;
  const name = hello.implementation === "cpython" ? "Python" : hello.implementation;
  return `${commandText(command)} is ${name} ${hello.version.join(".")} (${hello.executable})`;
}

/** The one error for interpreters that were found but can't be used; `found` describes each of them. */
export function noSuitablePython(found: readonly string[]): TabPyError {
  return new TabPyError(
    "config",
    `Cannot use the Python that was found: ${found.join("; ")}; expected ${wanted}, ${remedy}`,
  );
}

export function commandText(command: Command): string {
  return [command.file, ...command.args].join(" ");
}

function findCommand(text: string, env: NodeJS.ProcessEnv): Command | undefined {
  // A path may contain spaces: the whole text first, then a command with arguments.
  const whole = findProgram(text, env);
  if (whole !== undefined) return { file: whole, args: [] };
  const [name, ...args] = text.split(/\s+/).filter((part) => part !== "");
  const file = name === undefined ? undefined : findProgram(name, env);
  return file === undefined ? undefined : { file, args };
}

function findProgram(name: string, env: NodeJS.ProcessEnv): string | undefined {
  if (isAbsolute(name) || name.includes("/") || name.includes(sep)) return isProgram(name) ? name : undefined;
  const suffixes = process.platform === "win32" ? (env.PATHEXT ?? ".EXE;.CMD;.BAT").split(";") : [""];
  for (const folder of (env.PATH ?? env.Path ?? "").split(delimiter)) {
    if (folder === "") continue;
    for (const suffix of suffixes) {
      const path = join(folder, name + suffix);
      if (isProgram(path)) return path;
    }
  }
  return undefined;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
