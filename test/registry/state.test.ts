// state.ini against Python's configparser: what is written here is read there as TabPy reads it, and the reverse.
// Python is TABPY_TEST_PYTHON or python3 on PATH.

import { expect, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseIni } from "../../src/ini.ts";
import { parseExactJson, pythonJson } from "../../src/python-json.ts";
import { type Endpoint, endpointRecord, parseEndpoint } from "../../src/registry/endpoint.ts";
import { endpointsOf, readState, setEndpoint, writeState } from "../../src/registry/state.ts";
import { testPython } from "../support/interpreters.ts";
import { createRandom, pick } from "../support/random.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { generateRawRegistries, generateRegistries, type StateCase } from "./state-cases.ts";

interface OracleAnswer {
  canonical: string[];
  reads: {
    endpoints: [name: string, answer: [record: string, docstring: string]][];
    rest: Record<string, Record<string, string>>;
    docstrings: string[];
  }[];
  writes: { text: string; endpoints: [name: string, record: string, docstring: string][] }[];
}

const registries = generateRegistries(200, 1);
const rawRegistries = generateRawRegistries(200, 2);
const texts = await Promise.all(registries.map(textOf));
const python = askPython({
  canonical: registries.flat().map((one) => one.record),
  reads: texts,
  writes: rawRegistries,
});

test("writeState() writes 200 registries as TabPy reads them", () => {
  const records = [...python.canonical];
  for (const [at, registry] of registries.entries()) {
    expect(python.reads[at]).toEqual({
      endpoints: registry.map(({ name, docstring }) => [name, [records.shift() ?? "", docstring]]),
      rest: {
        "Service Info": {
          Name: "TabPy Server",
          Description: "",
          "Creation Time": "0",
          "Access-Control-Allow-Origin": "",
          "Access-Control-Allow-Headers": "",
          "Access-Control-Allow-Methods": "",
        },
        Meta: { "Revision Number": "2" },
      },
      docstrings: registry.map(({ name }) => name).sort(),
    });
  }
});

test("readState() reads what writeState() has written", () => {
  for (const [at, registry] of registries.entries()) {
    expect([...endpointsOf(parseState(texts[at] ?? "")).values()]).toEqual(registry.map(endpointOf));
  }
});

test("readState() reads 200 registries as TabPy writes them, docstrings escaped and raw", () => {
  for (const { text, endpoints } of python.writes) {
    const found = [...endpointsOf(parseState(text)).values()];
    expect(found.map((one) => [one.name, one.docstring])).toEqual(
      endpoints.map(([name, , doc]) => [name, doc]),
    );
    // As values: JavaScript puts members whose names are integers first.
    expect(found.map((one) => parseExactJson(pythonJson(endpointRecord(one))))).toEqual(
      endpoints.map(([, record]) => parseExactJson(record)),
    );
  }
});

test("the registries contain what is hard to write", () => {
  const all = [...registries, ...rawRegistries].flat().map((one) => one.record + one.docstring);
  for (const hard of ["%(", "\\ud800", "😀", "1.0", "1E+400", '"__proto__"', "\n\n", "\\u2028"]) {
    expect(all.filter((text) => text.includes(hard.replace("\\u2028", "\u2028"))).length).toBeGreaterThan(5);
  }
});

test("a hundred rewrites of a state file change its revision number and nothing else", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "state.ini");
  const random = createRandom(3);
  const odd = "\n[Meta]\nMine = 100%% [x]\n\tand more\nRevision Number = 41\n\n[Other]\nKey = \n\n";
  for (const text of [...texts.slice(0, 10), ...python.writes.slice(0, 10).map((one) => one.text)]) {
    writeFileSync(path, text.slice(0, text.lastIndexOf("\n[Meta]\n")) + odd);
    await rewrite(folder.path, () => 0); // escapes raw docstrings
    const once = readFileSync(path, "utf8");
    for (let times = 0; times < 5; times++) await rewrite(folder.path, random);
    expect(readFileSync(path, "utf8")).toBe(once.replace("Revision Number = 42", "Revision Number = 47"));
  }
});

test("setEndpoint() removes one endpoint and doesn't change the others", () => {
  const state = parseState(stateText(["a = {}", 'b = {"version": 1.0}'], ["a = x", "b = raw é"]));
  setEndpoint(state, "a", undefined);
  expect(state.ownOptions("Query Objects Service Versions")).toEqual([["b", '{"version": 1.0}']]);
  expect(state.ownOptions("Query Objects Docstrings")).toEqual([["b", "raw é"]]);
});

test("endpointsOf() has defaults for missing members", () => {
  const [endpoint] = endpointsOf(parseState(stateText(["a = {}"], []))).values();
  expect(endpoint).toEqual({
    name: "a",
    description: "",
    type: "model",
    version: 1,
    dependencies: [],
    target: null,
    creationTime: 0,
    lastModifiedTime: 0,
    schema: undefined,
    isPublic: undefined,
    docstring: "-- no docstring found in query function --",
    others: {},
  });
});

test("endpointsOf() treats members of a wrong type as missing", () => {
  const record =
    '{"description": 5, "type": null, "version": "2", "dependencies": [1], "target": {}, "is_public": "yes"}';
  const [endpoint] = endpointsOf(parseState(stateText([`a = ${record}`], []))).values();
  expect(endpoint).toMatchObject({
    description: "",
    type: "model",
    version: 1,
    dependencies: [],
    target: null,
  });
});

const faults: readonly [what: string, text: string, message: string][] = [
  [
    "no JSON",
    stateText(["a = {", "b = {}"], []),
    'Cannot read the endpoint "a" ("PATH" line 4): expected JSON, got',
  ],
  ["a list", stateText(["b = {}", "a = [1]"], []), 'endpoint "a" ("PATH" line 5): expected a JSON object'],
  ["null", stateText(["a = null"], []), "line 4): expected a JSON object"],
  ["an empty record", stateText(["a ="], []), "line 4): expected JSON, got"],
  [
    "a bare % in a record",
    stateText(['a = {"x": "5%"}'], []),
    'Cannot read "a" (PATH line 4): expected "%%"',
  ],
  [
    "a bare % in a docstring",
    stateText(["a = {}"], ["a = 5%"]),
    'Cannot read "a" (PATH line 6): expected "%%"',
  ],
  ["an invalid line", "[Meta]\n\nnothing\n", 'Cannot read "PATH" line 3: expected "name = value"'],
  ["a section twice", "[Meta]\n[Meta]\n", 'Cannot read "PATH" line 2: expected each section once'],
];
for (const [what, text, message] of faults) {
  test(`readState() and endpointsOf() name file and line of ${what}`, () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "state.ini");
    writeFileSync(path, text);
    expect(() => endpointsOf(readState(folder.path))).toThrow(
      expect.objectContaining({
        code: "config",
        message: expect.stringContaining(message.replace("PATH", path)),
      }),
    );
  });
}

test("readState() names a state file that is a folder", () => {
  using folder = temporaryFolder();
  expect(() => readState(join(folder.path, "none"))).not.toThrow();
  using path = temporaryFolder();
  writeFileSync(join(folder.path, "x"), "");
  expect(() => readState(join(folder.path, "x"))).toThrow("Cannot read the state file");
  expect(readdirSync(path.path)).toEqual([]);
});

test("writeState() keeps the mode of the file", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "state.ini");
  await writeState(folder.path, readState(folder.path));
  chmodSync(path, 0o640);
  await writeState(folder.path, readState(folder.path));
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect(readdirSync(folder.path)).toEqual(["state.ini"]);
});

test("writeState() counts from 0 after an invalid revision number", async () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "state.ini"), "[Meta]\nRevision Number = many\n");
  await writeState(folder.path, readState(folder.path));
  expect(readState(folder.path).get("Meta", "Revision Number")).toBe("1");
});

function stateText(records: readonly string[], docstrings: readonly string[]): string {
  return `[Service Info]\n\n[Query Objects Service Versions]\n${records.join("\n")}\n[Query Objects Docstrings]\n${docstrings.join("\n")}\n`;
}

function parseState(text: string) {
  return parseIni(text, { keepCase: true });
}

function endpointOf({ name, record, docstring }: StateCase): Endpoint {
  return parseEndpoint(name, parseExactJson(record) as Record<string, unknown>, docstring);
}

/** The state file of a registry. */
async function textOf(registry: readonly StateCase[]): Promise<string> {
  using folder = temporaryFolder();
  const state = readState(folder.path);
  for (const one of registry) setEndpoint(state, one.name, endpointOf(one));
  await writeState(folder.path, state);
  return readFileSync(join(folder.path, "state.ini"), "utf8");
}

/** Read the file, set one endpoint again and write it; all of them when `random` is always 0. */
async function rewrite(folder: string, random: (below: number) => number): Promise<void> {
  const state = readState(folder);
  const endpoints = [...endpointsOf(state).values()];
  const isAll = endpoints.length === 0 || random(2) === 0;
  const chosen = isAll ? endpoints : [pick(random, endpoints)];
  for (const one of chosen) setEndpoint(state, one.name, one);
  await writeState(folder, state);
}

function askPython(request: object): OracleAnswer {
  const oracle = join(import.meta.dir, "state-oracle.py");
  const { stdout, stderr, exitCode } = Bun.spawnSync([testPython().file, "-X", "utf8", oracle], {
    stdin: Buffer.from(JSON.stringify(request)),
  });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString());
}
