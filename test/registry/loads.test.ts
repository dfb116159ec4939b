// Which archive serves while another one is loaded, when that fails, and after a restart.

import { expect, test } from "bun:test";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { archivesOf, newVersion, openRegistry, restart } from "./registry-folder.ts";

/** Every way to give a function new code. */
const ways: readonly [what: string, body: object, version: number][] = [
  ["a new version", newVersion, 2],
  ["the same version again", {}, 1],
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

  test(`when ${what} doesn't load the old code keeps serving`, async () => {
    await using one = openRegistry();
    await one.add("f", "old");
    await one.update("f", "bad", body);
    expect(one.serves("f")).toBe("old");
    const lastError = "Load failed: no pickle: bad";
    expect(one.status("f")).toEqual({ version, type: "model", status: "LoadFailed", last_error: lastError });
    expect(one.logLines.join("\n")).toContain(`Cannot load endpoint f, version ${version}: no pickle: bad`);
  });

  test(`when ${what} doesn't load, and then a third, the old code keeps serving`, async () => {
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
    await one.registry.stop();
    expect(archivesOf(one, "f")).toHaveLength(1);
    expect(one.serves("f")).toBe("new");
  });
}

test("of two deployments that load concurrently only the last one counts", async () => {
  await using one = openRegistry();
  await one.add("f", "one");
  const releases = [one.hold("two"), one.hold("three")];
  for (const text of ["two", "three"]) {
    await one.registry.update("f", { src_path: one.stage(text), ...newVersion });
    await one.loading(text);
  }
  releases[0]?.();
  await turns();
  await one.registry.stop();
  expect(one.serves("f")).toBe("one");
  releases[1]?.();
  await one.registry.settled(5000);
  expect(one.serves("f")).toBe("three");
});

test("an archive that is installed while the load of an earlier one ends is kept", async () => {
  await using one = openRegistry();
  const release = one.hold("one");
  await one.registry.add({ name: "f", type: "model", src_path: one.stage("one") });
  await one.loading("one");
  const place = join(one.folder, "query_objects", "f", "2");
  mkdirSync(place); // as after a deployment that has not written state.ini yet
  writeFileSync(join(place, "pickle_archive"), "two");
  mkdirSync(join(one.folder, "query_objects", "f", "0")); // the archive to remove
  release();
  await one.registry.settled(5000);
  await one.registry.stop();
  expect(archivesOf(one, "f")).toEqual(["1", "2"]);
});

test("an archive that was moved aside while it was loaded is kept", async () => {
  await using one = openRegistry();
  const release = one.hold("one");
  await one.registry.add({ name: "f", type: "model", src_path: one.stage("one") });
  await one.loading("one");
  const home = join(one.folder, "query_objects", "f");
  renameSync(join(home, "1"), join(home, "replaced-1")); // as in a deployment that has not written state.ini yet
  mkdirSync(join(home, "1"));
  writeFileSync(join(home, "1", "pickle_archive"), "two");
  release();
  await one.registry.settled(5000);
  await one.registry.stop();
  expect(archivesOf(one, "f")).toEqual(["1", "replaced-1"]);
});

test("when a new version doesn't load, and then another archive of that version, the old code keeps serving", async () => {
  await using one = openRegistry();
  await one.add("f", "old");
  await one.update("f", "bad", newVersion);
  await one.update("f", "bad again");
  expect(one.serves("f")).toBe("old");
  await using again = await restart(one);
  expect(again.serves("f")).toBe("old");
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

test("a removed function is unknown at once, even while it loads", async () => {
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

test("a function that is removed and deployed again has another key", async () => {
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

test("a function with the name of a removed one never serves the archives that were left of it", async () => {
  await using one = openRegistry();
  await one.add("f", "removed");
  await one.registry.remove("f");
  for (const left of ["1", "replaced-1", "2"]) {
    const folder = join(one.folder, "query_objects", "f", left); // a server was killed during the removal
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

test("settled() waits for the loads of one name, or of all, until its time limit", async () => {
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

/** Waits a few turns of the event loop. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}
