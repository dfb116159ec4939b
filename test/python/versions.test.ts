// The unit tests of the worker program (run.py), with every CPython 3.9 to 3.13 of this machine; and what
// other Pythons say first, so that the server can refuse them by name.

import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { FrameDecoder } from "../../src/python/frames.ts";
import type { Header } from "../../src/python/messages.ts";
import { bootProgram } from "../../src/python/programs.ts";

const oldestMinor = 9;
const newestMinor = 13;
const timeoutMs = 120_000;

interface Interpreter {
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

/** Who answers under a path; undefined for what doesn't run, a pyenv shim of a version that is not active say. */
function introduce(file: string): Interpreter | undefined {
  const answer = Bun.spawnSync([file, "-c", introduction], { stdin: "ignore", stderr: "ignore" });
  return answer.exitCode === 0 ? JSON.parse(answer.stdout.toString()) : undefined;
}

/** One interpreter for each implementation and version, the oldest first. */
function findInterpreters(): Interpreter[] {
  const found = new Map<string, Interpreter>();
  for (const file of candidates()) {
    const interpreter = introduce(file);
    if (interpreter === undefined) continue;
    const name = nameOf(interpreter);
    if (!found.has(name)) found.set(name, interpreter);
  }
  return [...found.values()].sort((a, b) => nameOf(a).localeCompare(nameOf(b), "en", { numeric: true }));
}

function nameOf({ implementation, version }: Interpreter): string {
  return `${implementation} ${version.join(".")}`;
}

function isOlder({ version: [major, minor] }: Interpreter): boolean {
  return major < 3 || (major === 3 && minor < oldestMinor);
}

function isNewer({ version: [major, minor] }: Interpreter): boolean {
  return major > 3 || (major === 3 && minor > newestMinor);
}

const interpreters = findInterpreters();
const refused = interpreters.filter((one) => isOlder(one) || one.implementation !== "cpython");
const supported = interpreters.filter((one) => !refused.includes(one) && !isNewer(one));

test("this machine has a Python that the worker program supports", () => {
  expect(supported.map(nameOf)).not.toBeEmpty();
});

for (const interpreter of supported) {
  test.concurrent(
    `the worker program passes its unit tests on ${nameOf(interpreter)}`,
    async () => {
      const run = Bun.spawn([interpreter.file, join(import.meta.dir, "run.py")], {
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const [printed, report, exitCode] = await Promise.all([
        run.stdout.text(),
        run.stderr.text(),
        run.exited,
      ]);
      const passed = /^(\d+) passed, 0 failed(?:, \d+ skipped)?$/.exec(
        printed.trim().split("\n").at(-1) ?? "",
      );
      if (exitCode !== 0 || passed === null) throw new Error(`${printed}\n${report}`);
      expect(Number(passed[1])).toBeGreaterThan(0);
    },
    timeoutMs,
  );
}

for (const interpreter of refused) {
  test.concurrent(
    `boot.py says hello on ${nameOf(interpreter)}`,
    async () => {
      const boot = Bun.spawn([interpreter.file, "-c", bootProgram], {
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const [output, errors, exitCode] = await Promise.all([
        boot.stdout.bytes(),
        boot.stderr.text(),
        boot.exited,
      ]);
      const frames: { header: Header; bodyBytes: number }[] = [];
      new FrameDecoder((header, body) => frames.push({ header, bodyBytes: body.length })).push(
        Buffer.from(output),
      );
      expect({ frames, errors, exitCode }).toEqual({
        frames: [
          {
            header: {
              id: 0,
              kind: "hello",
              version: interpreter.version,
              implementation: interpreter.implementation,
              executable: expect.any(String),
            },
            bodyBytes: 0,
          },
        ],
        errors: "",
        exitCode: 0,
      });
    },
    timeoutMs,
  );
}
