import { afterAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { serveCommand } from "../../src/cli/serve.ts";
import { loadSettings } from "../../src/config/load.ts";
import { defaultText, settings } from "../../src/config/settings.ts";
import { parseIni } from "../../src/ini.ts";
import { checkCases } from "../support/counts.ts";
import { folderUntil } from "../support/temporary-folder.ts";

const root = join(import.meta.dir, "../..");
const examplePath = join(root, "config.example.conf");
const docs = readFileSync(join(root, "docs/settings.md"), "utf8");
const example = readFileSync(examplePath, "utf8");
const python = process.env.TABPY_TEST_PYTHON ?? "python3";
const folder = folderUntil(afterAll);
const name = /TABPY_[A-Z_]+/g;
const known = new Set<string>(settings.map((row) => row.name));

const nameOf = (row: { name: string }) => row.name;

test("docs/settings.md has a row for each setting", () =>
  checkCases(settings, nameOf, (row) => {
    expect(docs).toContain(`| \`${row.name}\` | ${defaultText(row)} | ${row.doc} |`);
  }));

test("config.example.conf shows each setting with its default", () =>
  checkCases(settings, nameOf, (row) => {
    expect(example).toContain(`# ${row.doc}\n`);
    expect(example).toContain(`\n# ${row.name} =${row.default === undefined ? "" : ` ${row.default}`}\n`);
  }));

test("--help names each setting with its default", () =>
  checkCases(settings, nameOf, (row) => {
    expect(serveCommand.examples).toContain(`  ${row.name} (${defaultText(row)})\n      ${row.doc}`);
  }));

test("docs/settings.md groups the settings as the table does", () => {
  const sections = new Map(docs.split(/^## /m).map((text) => [text.slice(0, text.indexOf("\n")), text]));
  for (const row of settings) expect(sections.get(row.group)).toContain(`| \`${row.name}\` |`);
});

test("the documents and --help name no setting that doesn't exist", () => {
  const others = [
    "README.md",
    "docs/https.md",
    "docs/operations.md",
    "docs/python.md",
    "docs/service.md",
    "docs/tableau.md",
    "docs/users.md",
    "CHANGELOG.md",
    "scripts/tabpy.service",
    "scripts/start",
  ];
  const texts = others.map((path) => readFileSync(join(root, path), "utf8"));
  for (const text of [docs, example, serveCommand.examples, ...texts]) {
    expect([...new Set(text.match(name))].filter((found) => !known.has(found))).toEqual([]);
  }
});

/** The example with its settings uncommented, except numbers whose default isn't a fixed text. */
function uncommented(): string {
  const open = settings.filter((row) => row.default === undefined && row.type.kind === "integer");
  const empty = new Set<string>(open.map((row) => row.name));
  const path = join(folder, "uncommented.conf");
  const text = example.replace(/^# (TABPY_\w+) =/gm, (line, setting) =>
    empty.has(setting) ? line : line.slice(2),
  );
  expect([...text.matchAll(/^# (TABPY_\w+) =/gm)].map(([, setting]) => setting)).toEqual([
    "TABPY_WORKERS",
    "TABPY_WORKERS_PER_USER",
  ]);
  writeFileSync(path, text);
  return path;
}

test("config.example.conf changes no setting, with and without its comment marks", () => {
  const defaults = loadSettings({ configPath: undefined, env: {}, commandLine: {} });
  for (const configPath of [examplePath, uncommented()]) {
    const loaded = loadSettings({ configPath, env: {}, commandLine: {} });
    expect(loaded.warnings).toEqual([]);
    for (const [setting, row] of loaded.values)
      expect([setting, row.value]).toEqual([setting, defaults.values.get(setting)?.value]);
  }
});

test("Python's configparser reads config.example.conf as parseIni() does", () => {
  const script =
    "import configparser, json, sys; ini = configparser.ConfigParser(); ini.read(sys.argv[1]); " +
    "print(json.dumps(dict(ini['TabPy'])))";
  const ran = Bun.spawnSync([python, "-c", script, uncommented()]);
  const wanted = settings.filter(({ name }) => !["TABPY_WORKERS", "TABPY_WORKERS_PER_USER"].includes(name));
  expect(JSON.parse(ran.stdout.toString())).toEqual(
    Object.fromEntries(wanted.map((row) => [row.name.toLowerCase(), row.default ?? ""])),
  );
});

test("config.example.conf sets up Python's own logging", () => {
  const script =
    "import logging.config, sys; logging.config.fileConfig(sys.argv[1]); logging.warning('it works')";
  const ran = Bun.spawnSync([python, "-c", script, examplePath], { cwd: folder });
  const line = /^\d{4}-\d\d-\d\d,\d\d:\d\d:\d\d \[WARNING\] \(.*\): it works\n$/;
  expect(ran.stdout.toString()).toMatch(line);
  expect(readFileSync(join(folder, "tabpy_log.log"), "utf8")).toMatch(line);
});

test("every logging section of config.example.conf is listed, and every listed one exists", () => {
  const ini = parseIni(example);
  const listed = (section: string, kind: string) =>
    (ini.raw(section, "keys") ?? "").split(",").map((key) => `${kind}_${key.trim()}`);
  const wanted = [
    ...listed("loggers", "logger"),
    ...listed("handlers", "handler"),
    ...listed("formatters", "formatter"),
  ];
  const there = ini.sections().filter((section) => section.includes("_"));
  expect(there.sort()).toEqual(wanted.sort());
});
