import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { serveCommand } from "../../src/cli/serve.ts";
import { loadSettings } from "../../src/config/load.ts";
import { defaultText, settings } from "../../src/config/settings.ts";

const root = join(import.meta.dir, "../..");
const docs = readFileSync(join(root, "docs/settings.md"), "utf8");
const example = readFileSync(join(root, "config.example.conf"), "utf8");
const name = /TABPY_[A-Z_]+/g;
const known = new Set<string>(settings.map((row) => row.name));

for (const row of settings) {
  test(`docs/settings.md has the row of ${row.name}`, () => {
    expect(docs).toContain(`| \`${row.name}\` | ${defaultText(row)} | ${row.doc} |`);
  });

  test(`config.example.conf shows ${row.name} with its default`, () => {
    expect(example).toContain(`# ${row.doc}\n`);
    expect(example).toContain(`\n# ${row.name} =${row.default === undefined ? "" : ` ${row.default}`}\n`);
  });

  test(`--help names ${row.name} with its default`, () => {
    expect(serveCommand.examples).toContain(`  ${row.name} (${defaultText(row)})\n      ${row.doc}`);
  });
}

test("the documents name no setting that isn't there", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const operations = readFileSync(join(root, "docs/operations.md"), "utf8");
  for (const text of [docs, example, readme, operations]) {
    expect([...new Set(text.match(name))].filter((found) => !known.has(found))).toEqual([]);
  }
});

test("config.example.conf is a config file, with and without its comment marks", async () => {
  const uncommented = join(root, "dist/config.uncommented.conf");
  await Bun.write(uncommented, example.replace(/^# (TABPY_\w+ = \S)/gm, "$1"));
  for (const configPath of [join(root, "config.example.conf"), uncommented]) {
    const loaded = loadSettings({ configPath, env: {}, commandLine: {} });
    expect(loaded.warnings).toEqual([]);
    const defaults = loadSettings({ configPath: undefined, env: {}, commandLine: {} });
    for (const [setting, row] of loaded.values)
      expect(row.value).toEqual(defaults.values.get(setting)?.value);
  }
});

test("config.example.conf sets up Python's own logging", () => {
  const python = process.env.TABPY_TEST_PYTHON ?? "python3";
  const script =
    "import logging.config, sys; logging.config.fileConfig(sys.argv[1]); logging.warning('it works')";
  const ran = Bun.spawnSync([python, "-c", script, join(root, "config.example.conf")]);
  expect(ran.stdout.toString()).toMatch(/^\d{4}-\d\d-\d\d,\d\d:\d\d:\d\d \[WARNING\] \(.*\): it works\n$/);
});
