// The Pythons of this machine: on PATH under their usual names, and all versions of pyenv; and the one that tests
// on the compiled server use.

import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

export const oldestMinor = 9;
export const newestMinor = 13;

export interface Interpreter {
  readonly file: string;
  readonly implementation: string;
  readonly version: readonly [number, number, number];
}

/** Runs on every Python since 2.6. */
const introduction = `
import json, sys
implementation = getattr(getattr(sys, "implementation", None), "name", "cpython")
sys.stdout.write(json.dumps({"file": sys.executable, "implementation": implementation, "version": sys.version_info[:3]}))
`;

const names = ["python3", "python", "python2", "pypy3", "pypy"];
for (let minor = newestMinor; minor >= oldestMinor; minor--) names.push(`python3.${minor}`);

/** One interpreter for each implementation and version, the oldest first. */
export function findInterpreters(): Interpreter[] {
  const found = new Map<string, Interpreter>();
  for (const file of candidates()) {
    const interpreter = introduce(file);
    if (interpreter === undefined) continue;
    const name = nameOf(interpreter);
    if (!found.has(name)) found.set(name, interpreter);
  }
  return [...found.values()].sort((a, b) => nameOf(a).localeCompare(nameOf(b), "en", { numeric: true }));
}

/** The Python of TABPY_TEST_PYTHON, else python3. It has the packages that the tests on the server use. */
export function testPython(): Interpreter {
  const command = process.env.TABPY_TEST_PYTHON ?? "python3";
  const file = Bun.which(command);
  const interpreter = file === null ? undefined : introduce(file);
  if (interpreter === undefined) throw new Error(`Cannot run TABPY_TEST_PYTHON "${command}"`);
  return interpreter;
}

/** The interpreter at a path; undefined when it doesn't run, such as a pyenv shim of an inactive version. */
export function introduce(file: string): Interpreter | undefined {
  const answer = Bun.spawnSync([file, "-c", introduction], { stdin: "ignore", stderr: "ignore" });
  return answer.exitCode === 0 ? JSON.parse(answer.stdout.toString()) : undefined;
}

/** `cpython 3.11.7`. */
export function nameOf({ implementation, version }: Interpreter): string {
  return `${implementation} ${version.join(".")}`;
}

/** Whether the server can run scripts with it. */
export function isSupported({ implementation, version: [major, minor] }: Interpreter): boolean {
  return implementation === "cpython" && major === 3 && minor >= oldestMinor && minor <= newestMinor;
}

/** Paths that may be interpreters: those names on PATH, and all versions of pyenv. */
function candidates(): string[] {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const onPath = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  return [...onPath, ...pyenvPythons()].filter((file) => existsSync(file));
}

function pyenvPythons(): string[] {
  const pyenv = Bun.which("pyenv");
  const told = pyenv === null ? "" : Bun.spawnSync([pyenv, "root"]).stdout.toString().trim();
  const versions = join(told || join(homedir(), ".pyenv"), "versions");
  if (!existsSync(versions)) return [];
  return readdirSync(versions).map((version) => join(versions, version, "bin", "python"));
}
