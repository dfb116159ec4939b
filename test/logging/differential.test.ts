// src/logging against Python's logging.config.fileConfig: every configuration of logging-cases.ts and its records go
// through both, with the time fixed, and lines and files must be equal. Python is TABPY_TEST_PYTHON or python3.

import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseIni } from "../../src/ini.ts";
import type { Level } from "../../src/logging/levels.ts";
import { Logging } from "../../src/logging/logging.ts";
import { readLogging } from "../../src/logging/config/sections.ts";
import { checkCases } from "../support/counts.ts";
import { folderUntil } from "../support/temporary-folder.ts";
import { type Case, cases, refused } from "./logging-cases.ts";

type Outcome =
  | { readonly error: string }
  | { readonly stdout: string; readonly stderr: string; readonly files: Readonly<Record<string, string>> };

const methods = {
  DEBUG: "debug",
  INFO: "info",
  WARNING: "warning",
  ERROR: "error",
  CRITICAL: "critical",
} as const;
const root = folderUntil(afterAll);
const home = process.cwd();
const zone = process.env.TZ;
afterAll(() => {
  process.chdir(home);
  setZone(zone);
});
const none = { records: [], files: [], zone: "UTC" };
const all: readonly Case[] = [...cases, ...refused.map(([name, config]) => ({ name, config, ...none }))];
const answers = askPython(all);

describe("Logging writes what Python's logging writes", () => {
  test("there are more than 150 configurations", () => expect(cases.length).toBeGreaterThan(150));

  test("with every configuration", () =>
    checkCases(
      cases,
      (one) => one.name,
      async (one, index) => {
        expect(await run(one, join(root, String(index)))).toEqual(answers[index] as Outcome);
      },
    ));
});

test("readLogging() refuses what Python refuses, and names the section", () =>
  checkCases(
    refused,
    ([name]) => name,
    ([, config], index) => {
      expect(answers[cases.length + index]).toEqual({ error: expect.any(String) });
      expect(() => readLogging(parseIni(config, { source: "tabpy.conf" }), "/state")).toThrow(
        expect.objectContaining({
          code: "config",
          message: expect.stringMatching(/^Cannot use .*\(tabpy\.conf section \[\w+\]\): expected .*$/),
        }),
      );
    },
  ));

function setZone(name: string | undefined): void {
  if (name === undefined) delete process.env.TZ;
  else process.env.TZ = name;
}

async function run(one: Case, folder: string): Promise<Outcome> {
  mkdirSync(folder);
  const output = (name: string) => openSync(`${folder}.${name}`, "w");
  const [stdout, stderr] = [output("stdout"), output("stderr")];
  for (const file of one.files) {
    writeFileSync(join(folder, file.name), file.text);
    utimesSync(join(folder, file.name), file.mtime, file.mtime);
  }
  process.chdir(folder);
  setZone(one.zone);
  let now = one.records[0]?.createdMs ?? 0;
  const logging = new Logging({
    spec: readLogging(parseIni(one.config), folder),
    isDetailed: false,
    env: {},
    python: () => ["python3"],
    now: () => now,
    pid: 4321,
    stdout,
    stderr,
  });
  for (const record of one.records) {
    now = record.createdMs;
    const logger = logging.logger(record.file).named(record.name);
    logger[methods[record.level as Level]](record.message);
  }
  await logging.stop();
  closeSync(stdout);
  closeSync(stderr);
  const files = readdirSync(folder)
    .sort()
    .map((name) => [name, readFileSync(join(folder, name), "latin1")]);
  const text = (name: string) => readFileSync(`${folder}.${name}`, "utf8");
  return { stdout: text("stdout"), stderr: text("stderr"), files: Object.fromEntries(files) };
}

function askPython(rows: readonly Case[]): Outcome[] {
  const script = fileURLToPath(new URL("./logging-oracle.py", import.meta.url));
  const python = process.env.TABPY_TEST_PYTHON ?? "python3";
  const { status, stdout, stderr, error } = spawnSync(python, ["-X", "utf8", script], {
    input: JSON.stringify(rows),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`Cannot run ${python} ${script}: ${stderr}`, { cause: error });
  return JSON.parse(stdout);
}
