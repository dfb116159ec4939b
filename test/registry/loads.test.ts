// Which archive serves while another is loaded, when it can't be, and after a restart.

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newVersion, openRegistry, type TestRegistry } from "./registry-folder.ts";

/** Every way to give a function new code. */
const ways: readonly [what: string, body: object, version: number][] = [
  ["a new version", newVersion, 2],
  ["the same version anew", {}, 1],
];

for (const [what, body, version] of ways) {
  test(`while ${what} is loaded the old code serves, and then the new`, async () => {
    await using one = openRegistry();
    await one.add("f", "old");
    const release = one.hold("new");
    const { revision } = one.registry;
    await one.registry.update("f", { src_path: one.stage("new"), ...body });
    await one.loading("new");
    expect(one.serves("f")).toBe("old");
    expect(one.status("f")).toEqual({ version, type: "model", status: "LoadInProgress", last_error: null });
    release();
    await one.registry.settled(5000);
    expect(one.serves("f")).toBe("new");
    expect(one.status("f")).toEqual({ version, type: "model", status: "LoadSuccessful", last_error: null });
    expect(one.registry.revision).toBeGreaterThan(revision);
    expect(one.loads).toEqual(["old, own", "new, own"]);
  });

  test(`when ${what} doesn't load the old code serves on`, async () => {
    await using one = openRegistry();
    await one.add("f", "old");
    await one.update("f", "bad", body);
    expect(one.serves("f")).toBe("old");
    const lastError = "Load failed: no pickle: bad";
    expect(one.status("f")).toEqual({ version, type: "model", status: "LoadFailed", last_error: lastError });
    expect(one.logLines.join("\n")).toContain(`Cannot load endpoint f, version ${version}: no pickle: bad`);
  });

  test(`when ${what} doesn't load, and then a third, the old code serves on`, async () => {
    await using one = openRegistry();
    await one.add("f", "old");
    await one.update("f", "bad", body);
    await one.update("f", "bad again", body);
    expect(one.serves("f")).toBe("old");
    const release = one.hold("new");
    await one.registry.update("f", { src_path: one.stage("new"), ...body });
    expect(one.serves("f")).toBe("old");
    release();
    await one.registry.settled(5000);
    expect(one.serves("f")).toBe("new");
  });

  test(`after a restart where ${what} doesn't load the old code serves`, async () => {
    await using one = openRegistry();
    await one.add("f", "old");
    await one.update("f", "bad", body);
    await using again = await restart(one);
    expect(again.serves("f")).toBe("old");
    expect(again.status("f")).toMatchObject({ version, status: "LoadFailed" });
    await again.update("f", "new", body);
    expect(again.serves("f")).toBe("new");
  });

  test(`old archives are removed once ${what} serves, not before`, async () => {
    await using one = openRegistry();
    await one.add("f", "old");
    await one.update("f", "bad", body);
    expect(archivesOf(one, "f")).toHaveLength(2);
    const release = one.hold("new");
    await one.registry.update("f", { src_path: one.stage("new"), ...body });
    expect(archivesOf(one, "f").length).toBeGreaterThan(1);
    release();
    await one.registry.settled(5000);
    await until(() => archivesOf(one, "f").length === 1);
    expect(one.serves("f")).toBe("new");
  });
}

test("only the last of two deployments that load at one time counts", async () => {
  await using one = openRegistry();
  await one.add("f", "one");
  const releases = [one.hold("two"), one.hold("three")];
  for (const text of ["two", "three"]) {
    await one.registry.update("f", { src_path: one.stage(text), ...newVersion });
    await one.loading(text);
  }
  releases[0]?.();
  await turns();
  expect(one.serves("f")).toBe("one");
  releases[1]?.();
  await one.registry.settled(5000);
  expect(one.serves("f")).toBe("three");
});

test("an archive that is put in its place while an earlier one ends its load stays there", async () => {
  await using one = openRegistry();
  const release = one.hold("one");
  await one.registry.add({ name: "f", type: "model", src_path: one.stage("one") });
  await one.loading("one");
  const place = join(one.folder, "query_objects", "f", "2");
  mkdirSync(place); // as a deployment leaves it that has not written state.ini yet
  writeFileSync(join(place, "pickle_archive"), "two");
  release();
  await one.registry.settled(5000);
  await turns();
  expect(archivesOf(one, "f")).toEqual(["1", "2"]);
});

test("a function that never loaded can't be called", async () => {
  await using one = openRegistry();
  const release = one.hold("bad");
  await one.registry.add({ name: "f", type: "model", src_path: one.stage("bad") });
  release();
  await one.registry.settled(5000);
  expect(one.registry.resolve("f")).toEqual({
    kind: "unusable",
    name: "f",
    reason: "There is no query object associated to the endpoint: f",
  });
});

test("a removed function is gone at once, also while it loads", async () => {
  await using one = openRegistry();
  const release = one.hold("slow");
  await one.registry.add({ name: "f", type: "model", src_path: one.stage("slow") });
  await one.loading("slow");
  const { revision } = one.registry;
  await one.registry.remove("f");
  expect(one.registry.revision).toBeGreaterThan(revision);
  expect(one.serves("f")).toBe("unknown");
  release();
  await turns();
  expect([one.serves("f"), one.registry.status(), archivesOf(one, "f")]).toEqual(["unknown", {}, []]);
});

test("a function that is deployed again under its name is another one", async () => {
  await using one = openRegistry();
  await one.add("f", "same");
  const before = one.registry.resolve("f");
  await one.registry.remove("f");
  await one.add("f", "same");
  const after = one.registry.resolve("f");
  if (before.kind !== "model" || after.kind !== "model") throw new Error("it doesn't serve");
  expect([after.model.version, after.model.archive]).toEqual([1, before.model.archive]);
  expect(after.model.key).not.toBe(before.model.key);
});

test("a function that is deployed under the name of a removed one never serves what that one left", async () => {
  await using one = openRegistry();
  await one.add("f", "removed");
  await one.registry.remove("f");
  for (const left of ["1", "replaced-1", "2"]) {
    const folder = join(one.folder, "query_objects", "f", left); // a server was killed while it removed
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "pickle_archive"), "removed");
  }
  await one.add("f", "bad");
  expect(one.serves("f")).toContain("no query object");
  await using again = await restart(one);
  expect(again.serves("f")).toContain("no query object");
  await again.update("f", "bad too", newVersion);
  expect(again.serves("f")).toContain("no query object");
});

test("a start loads every model, one after the other in a shared process, and serves meanwhile", async () => {
  await using one = openRegistry();
  for (const name of ["a", "b", "c"]) await one.add(name, `code of ${name}`);
  await one.registry.add({ name: "alias", type: "alias", target: "a" });
  await using again = openRegistry({ folder: one.folder });
  const release = again.hold("code of a");
  await again.registry.start();
  await again.loading("code of a");
  expect(again.loads).toEqual(["code of a, shared"]);
  expect(["a", "b", "c", "alias"].map(again.serves)).toEqual([
    "code of a",
    "code of b",
    "code of c",
    "code of a",
  ]);
  expect(again.status("c")).toMatchObject({ status: "LoadInProgress" });
  release();
  await again.registry.loadedAtStart;
  expect(again.loads).toEqual(["a", "b", "c"].map((name) => `code of ${name}, shared`));
  expect(["a", "b", "c", "alias"].map((name) => again.status(name))).toEqual(
    ["model", "model", "model", "alias"].map((type) => ({
      version: 1,
      type,
      status: "LoadSuccessful",
      last_error: null,
    })),
  );
  expect(
    again.logLines.filter((line) => line.includes("Load endpoint: b, version: 1, type: model")),
  ).toHaveLength(1);
});

test("a start doesn't load what was removed before its turn", async () => {
  await using one = openRegistry();
  await one.add("a", "first");
  await one.add("b", "second");
  await using again = openRegistry({ folder: one.folder });
  const release = again.hold("first");
  await again.registry.start();
  await again.loading("first");
  await again.registry.remove("b");
  release();
  await again.registry.loadedAtStart;
  expect(again.loads).toEqual(["first, shared"]);
  expect(again.logLines.filter((line) => line.includes("Cannot load"))).toEqual([]);
});

const broken: Readonly<Record<string, (place: string) => void>> = {
  "is gone": (place) => rmSync(place, { recursive: true }),
  "is a link that leads to itself": (place) => {
    rmSync(place, { recursive: true });
    symlinkSync(place, place);
  },
};
for (const [what, breakIt] of Object.entries(broken)) {
  test(`a start where an archive ${what} says so and serves the rest`, async () => {
    await using one = openRegistry();
    await one.add("a", "first");
    await one.add("b", "second");
    breakIt(join(one.folder, "query_objects", "a", "1"));
    await using again = await restart(one);
    expect(again.status("a")).toMatchObject({
      status: "LoadFailed",
      last_error: "Load failed: there is no archive of version 1 of a",
    });
    expect([again.serves("a"), again.serves("b")]).toEqual([
      "There is no query object associated to the endpoint: a",
      "second",
    ]);
  });
}

test("a start where a deployment was cut between its two renames serves the archive moved aside", async () => {
  await using one = openRegistry();
  await one.add("f", "old");
  const home = join(one.folder, "query_objects", "f");
  mkdirSync(join(home, "replaced-1"));
  writeFileSync(join(home, "replaced-1", "pickle_archive"), "old");
  rmSync(join(home, "1"), { recursive: true });
  await using again = await restart(one);
  expect([again.serves("f"), again.status("f")]).toMatchObject(["old", { status: "LoadSuccessful" }]);
  await again.update("f", "new");
  expect(again.serves("f")).toBe("new");
});

test("a start serves TabPy's archives where TABPY_QUERY_OBJECT_PATH names another folder", async () => {
  await using one = openRegistry();
  await one.add("f", "old");
  await using again = openRegistry({ folder: one.folder, queryObjectPath: join(one.folder, "elsewhere") });
  await again.registry.start();
  await again.registry.loadedAtStart;
  expect(again.serves("f")).toBe("old");
  await again.update("f", "bad");
  expect(again.serves("f")).toBe("old");
  await again.update("f", "new");
  expect(again.serves("f")).toBe("new");
  await again.registry.remove("f");
  expect(existsSync(join(one.folder, "query_objects", "f"))).toBe(false);
});

test("settled() waits for the loads of one name, or of all, and no longer than it is told", async () => {
  await using one = openRegistry();
  const release = one.hold("slow");
  await one.registry.add({ name: "slow", type: "model", src_path: one.stage("slow") });
  await one.registry.settled(10_000, "other");
  await one.registry.settled(1, "slow");
  await one.registry.settled(1);
  expect(one.status("slow")).toMatchObject({ status: "LoadInProgress" });
  const settled = one.registry.settled(10_000, "slow");
  release();
  await settled;
  expect(one.status("slow")).toMatchObject({ status: "LoadSuccessful" });
});

test("an endpoint of a type that is none doesn't load", async () => {
  await using one = openRegistry();
  writeFileSync(
    join(one.folder, "state.ini"),
    '[Query Objects Service Versions]\nf = {"version": 1, "type": "other"}\n\n[Query Objects Docstrings]\nf = x\n',
  );
  await using again = await restart(one);
  expect(again.status("f")).toEqual({
    version: 1,
    type: "other",
    status: "LoadFailed",
    last_error: "Load failed: Unknown object type: other",
  });
});

/** Another registry on the same folder, with everything loaded that it loads at its start. */
async function restart(one: TestRegistry): Promise<TestRegistry> {
  const again = openRegistry({ folder: one.folder });
  await again.registry.start();
  await again.registry.loadedAtStart;
  return again;
}

/** The folders of the archives of a function. */
function archivesOf({ folder }: TestRegistry, name: string): string[] {
  const home = join(folder, "query_objects", name);
  return existsSync(home) ? readdirSync(home).sort() : [];
}

/** Until what needs no more than a few turns of the event loop and the disk has happened. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !isTrue(); turn++)
    await new Promise((resolve) => setImmediate(resolve));
  expect(isTrue()).toBe(true);
}
