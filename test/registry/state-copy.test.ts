// A state.ini that somebody else has cut off: the functions stay in use, changes are refused, and the copy brings
// everything back. And what is believed: every change of a server, however large.

import { expect, test } from "bun:test";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readServiceInfo } from "../../src/registry/service-info.ts";
import { lossOf } from "../../src/registry/state-copy.ts";
import { until } from "../support/until.ts";
import { newVersion, openRegistry, restart, type TestRegistry } from "./registry-folder.ts";

const names = ["a", "b", "c", "d", "e"];
const sections = ["Service Info", "Query Objects Service Versions", "Query Objects Docstrings", "Meta"];

const losses: readonly [
  before: number,
  after: number,
  sections: readonly string[],
  loss: string | undefined,
][] = [
  [5, 5, sections, undefined],
  [5, 3, sections, undefined],
  [4, 2, sections, undefined],
  [5, 2, sections, "3 of its 5 functions"],
  [4, 1, sections, "3 of its 4 functions"],
  [4, 0, sections, "4 of its 4 functions"],
  [3, 0, sections, undefined],
  [3, 3, sections.slice(0, 3), "its section [Meta]"],
  [5, 1, sections.slice(0, 2), "4 of its 5 functions"],
  [0, 0, [], "all its sections"],
];
for (const [before, after, left, loss] of losses) {
  test(`lossOf() of ${before} functions to ${after} with ${left.length} sections is ${loss}`, () => {
    const contents = { functions: names.slice(0, before), sections };
    expect(lossOf(contents, { functions: names.slice(0, after), sections: left })).toBe(loss);
  });
}

test("lossOf() counts the functions that are gone, not those that have come", () => {
  const contents = { functions: names, sections };
  expect(lossOf(contents, { functions: ["a", "v", "w", "x", "y", "z"], sections })).toBe(
    "4 of its 5 functions",
  );
});

/** A registry with the five functions. */
async function openFive(): Promise<TestRegistry> {
  const one = openRegistry();
  for (const name of names) await one.add(name, `code of ${name}`);
  return one;
}

function pathsOf({ folder }: TestRegistry) {
  return { path: join(folder, "state.ini"), copy: join(folder, "state.ini.bak") };
}

/** Everything up to the line that starts with `line`. */
function upTo(line: string): (text: string) => string {
  return (text) => text.slice(0, text.indexOf(`\n${line}`) + 1);
}

const damages: readonly [what: string, damage: (text: string) => string, loss: string][] = [
  ["is empty", () => "", "all its sections"],
  ["is cut off after its first section", upTo("[Query Objects Service Versions]"), "5 of its 5 functions"],
  ["is cut off between functions", upTo("c ="), "3 of its 5 functions"],
  ["is cut off before [Meta]", upTo("[Meta]"), "its section [Meta]"],
  ["has lost functions", (text) => text.replace(/^[a-c] = .*\n/gm, ""), "3 of its 5 functions"],
];

for (const [what, damage, loss] of damages) {
  test(`while state.ini ${what}, changes are refused, nothing vanishes, and the copy restores it`, async () => {
    await using one = await openFive();
    const { path, copy } = pathsOf(one);
    const sound = readFileSync(path, "utf8");
    const damaged = damage(sound);
    writeFileSync(path, damaged);
    await expectRefused(one, damaged, loss);
    await using other = openRegistry({ folder: one.folder }); // a start compares with the copy
    await other.registry.start();
    await other.registry.loadedAtStart;
    await expectRefused(other, damaged, loss);
    expect(readServiceInfo(one.folder).name).toBe("TabPy Server");
    expect(readFileSync(copy, "utf8")).toBe(sound);
    writeFileSync(path, readFileSync(copy));
    for (const server of [one, other]) {
      await server.update("a", "new", newVersion);
      expect(Object.keys(server.registry.list())).toEqual(names);
    }
  });

  test(`when state.ini ${what} and its copy is made equal, it is used as it is`, async () => {
    await using one = await openFive();
    const { path, copy } = pathsOf(one);
    writeFileSync(path, damage(readFileSync(path, "utf8")));
    await one.registry.refresh();
    writeFileSync(copy, readFileSync(path));
    await one.registry.refresh();
    const left = names.filter((name) => readFileSync(path, "utf8").includes(`${name} = {`));
    expect(Object.keys(one.registry.list())).toEqual(left);
    await one.add("z", "code of z");
    expect(Object.keys(one.registry.list())).toEqual([...left, "z"]);
    expect(readFileSync(copy, "utf8")).toBe(readFileSync(path, "utf8"));
  });
}

/** Every change is refused, the file stays as it is, and all five functions are there and serve. */
async function expectRefused(one: TestRegistry, damaged: string, loss: string): Promise<void> {
  const { path, copy } = pathsOf(one);
  const source = one.stage("new");
  const refused = {
    code: "unavailable",
    message: `Cannot use the state file "${path}", which has lost ${loss}: restore it from "${copy}", or run "tabpy state accept" to use it as it is`,
  };
  for (const act of [
    () => one.registry.add({ name: "z", type: "model", src_path: source }),
    () => one.registry.update("a", { src_path: source, ...newVersion }),
    () => one.registry.remove("e"),
  ]) {
    await expect(act()).rejects.toMatchObject(refused);
  }
  await one.registry.refresh();
  expect(readFileSync(path, "utf8")).toBe(damaged);
  expect(Object.keys(one.registry.list())).toEqual(names);
  expect(names.map(one.serves)).toEqual(names.map((name) => `code of ${name}`));
}

test("a state.ini that isn't believed is logged once it has rested, and when it is used again", async () => {
  await using one = await openFive();
  const { path } = pathsOf(one);
  const sound = readFileSync(path);
  await one.registry.start();
  await one.registry.loadedAtStart;
  writeFileSync(path, "");
  await one.registry.refresh();
  const lines = (text: string) => one.logLines.filter((line) => line.includes(text));
  expect(lines("has lost")).toEqual([]);
  await until(
    () => "the log to report the loss",
    () => lines("has lost all its sections").length === 1,
  );
  writeFileSync(path, sound);
  await until(
    () => "the log to report that it is used again",
    () => lines("is used again").length === 1,
  );
});

test("a start logs that state.ini isn't believed", async () => {
  await using one = await openFive();
  writeFileSync(pathsOf(one).path, "");
  await using other = await restart(one);
  expect(
    other.logLines.filter((line) => line.includes("has lost all its sections: restore it")),
  ).toHaveLength(1);
});

test("a state.ini that another program writes in two steps is read when it is complete", async () => {
  await using one = await openFive();
  const { path } = pathsOf(one);
  const sound = readFileSync(path, "utf8");
  for (const text of ["", upTo("c =")(sound), sound.replace('"description": ""', '"description": "new"')]) {
    writeFileSync(path, text);
    await one.registry.refresh();
  }
  expect(one.registry.list().a?.description).toBe("new");
  expect(one.logLines.filter((line) => line.includes("lost"))).toEqual([]);
});

test("a state.ini that is moved away and back is used again", async () => {
  await using one = await openFive();
  const { path } = pathsOf(one);
  renameSync(path, `${path}.away`);
  writeFileSync(path, "");
  await expect(one.registry.remove("a")).rejects.toMatchObject({ code: "unavailable" });
  renameSync(`${path}.away`, path);
  await one.registry.remove("a");
  expect(Object.keys(one.registry.list())).toEqual(names.slice(1));
});

test("a server that removes every function at once is believed by another one", async () => {
  await using one = await openFive();
  await using other = await restart(one);
  for (const name of names) await one.registry.remove(name);
  expect(await other.registry.resolveCurrent("a")).toEqual({ kind: "unknown" });
  expect(other.registry.list()).toEqual({});
  await other.add("z", "code of z");
});

test("a start without state.ini keeps the functions of its copy, and refuses changes", async () => {
  await using one = await openFive();
  const { path } = pathsOf(one);
  rmSync(path);
  await using other = await restart(one);
  expect(names.map(other.serves)).toEqual(names.map((name) => `code of ${name}`));
  await expect(other.registry.remove("a")).rejects.toMatchObject({
    message: expect.stringContaining("has lost 5 of its 5 functions"),
  });
  expect(existsSync(path)).toBe(false);
});

test("a start makes the copy, and renews one that another program has left behind", async () => {
  await using one = await openFive();
  const { path, copy } = pathsOf(one);
  for (const stale of [undefined, "broken\n", readFileSync(path, "utf8").replace(/^e = .*\n/gm, "")]) {
    rmSync(copy);
    if (stale !== undefined) writeFileSync(copy, stale);
    const other = await restart(one);
    await other[Symbol.asyncDispose]();
    expect(readFileSync(copy, "utf8")).toBe(readFileSync(path, "utf8"));
  }
});
