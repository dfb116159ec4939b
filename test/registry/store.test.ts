// The state file between several servers, and when it can't be read: two registries on one folder, real processes.

import { expect, test } from "bun:test";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { newVersion, openRegistry, type TestRegistry } from "./registry-folder.ts";

/** Two servers on one folder where `f` is deployed. */
async function openTwo(): Promise<{ one: TestRegistry; other: TestRegistry } & AsyncDisposable> {
  const one = openRegistry();
  await one.add("f", "old");
  const other = openRegistry({ folder: one.folder });
  await other.registry.start();
  await other.registry.loadedAtStart;
  return {
    one,
    other,
    [Symbol.asyncDispose]: async () => {
      await other[Symbol.asyncDispose]();
      await one[Symbol.asyncDispose]();
    },
  };
}

/** The text of the archive that a call of `name` would run now. */
async function servesNow(one: TestRegistry, name: string): Promise<string> {
  const found = await one.registry.resolveCurrent(name);
  return found.kind === "model" ? readFileSync(found.model.archive, "utf8") : found.kind;
}

async function refresh(other: TestRegistry): Promise<void> {
  await other.registry.refresh();
  await other.registry.settled(5000);
}

test("refresh() reads what another process has deployed, changed and removed", async () => {
  await using both = await openTwo();
  const { one, other } = both;
  const { revision } = other.registry;
  await one.add("g", "code of g");
  expect(other.serves("g")).toBe("unknown");
  await refresh(other);
  expect(other.serves("g")).toBe("code of g");
  expect(other.registry.revision).toBeGreaterThan(revision);
  await one.update("g", "new code of g", newVersion);
  await one.registry.add({ name: "alias", type: "alias", target: "g" });
  await refresh(other);
  expect(["g", "alias"].map(other.serves)).toEqual(["new code of g", "new code of g"]);
  expect(other.registry.list()).toEqual(one.registry.list());
  await one.registry.remove("alias");
  await one.registry.remove("g");
  await other.registry.refresh();
  expect(["f", "g", "alias"].map(other.serves)).toEqual(["old", "unknown", "unknown"]);
});

test("refresh() doesn't load an unchanged archive again", async () => {
  await using both = await openTwo();
  const { one, other } = both;
  const loads = other.loads.length;
  await one.registry.add({ name: "alias", type: "alias", target: "f" });
  const path = join(one.folder, "state.ini");
  writeFileSync(path, readFileSync(path, "utf8").replace('"description": ""', '"description": "by hand"'));
  await refresh(other);
  expect(other.registry.list().f?.description).toBe("by hand");
  expect(other.loads).toHaveLength(loads);
});

test("a function that another process removes while it is loaded here is forgotten", async () => {
  await using both = await openTwo();
  const { one, other } = both;
  const release = other.hold("bad");
  await one.add("g", "bad");
  await other.registry.refresh();
  await other.loading("bad");
  await one.registry.remove("g");
  await other.registry.refresh();
  release();
  await other.registry.settled(5000);
  expect(other.logLines.filter((line) => line.includes("Cannot load"))).toEqual([]);
});

test("refresh() reads a new version when neither it nor the one before has an archive", async () => {
  await using one = openRegistry();
  const path = join(one.folder, "state.ini");
  for (const version of [1, 2]) {
    writeFileSync(path, versions(`f = {"version": ${version}, "type": "model"}`));
    await refresh(one);
    expect(one.status("f")).toMatchObject({ version, status: "LoadFailed" });
  }
});

test("a started registry polls for changes", async () => {
  await using both = await openTwo();
  const { one, other } = both;
  await one.add("g", "code of g");
  while (other.serves("g") !== "code of g") await new Promise((resolve) => setImmediate(resolve));
});

test("a function that another process removed and deployed again in the same second is loaded again", async () => {
  await using both = await openTwo();
  const { one, other } = both;
  await replaceInOneSecond(one);
  await refresh(other);
  expect(other.serves("f")).toBe("new");
  expect(other.loads).toEqual(["old, shared", "new, own"]);
});

test("a change first reads what another process did, even in the same second", async () => {
  await using both = await openTwo();
  const { one, other } = both;
  await replaceInOneSecond(one);
  await other.add("g", "code of g");
  await other.registry.settled(5000);
  expect(["f", "g"].map(other.serves)).toEqual(["new", "code of g"]);
  expect(other.loads).toEqual(["old, shared", "new, own", "code of g, own"]);
});

test("while one process loads what another has deployed it serves an archive that exists", async () => {
  await using both = await openTwo();
  const { one, other } = both;
  await one.update("f", "new", newVersion);
  while (existsSync(join(one.folder, "query_objects", "f", "1"))) {
    await new Promise((resolve) => setImmediate(resolve)); // its old archive is removed
  }
  const release = other.hold("new");
  await other.registry.refresh();
  await other.loading("new");
  expect(other.serves("f")).toBe("new");
  release();
});

test("a change that one process has acknowledged is seen by every later request of another", async () => {
  await using both = await openTwo();
  const { one, other } = both;
  for (let round = 0; round < 10; round++) {
    await one.add("g", `first ${round}`);
    await other.update("g", `second ${round}`, newVersion);
    expect(await servesNow(one, "g")).toBe(`second ${round}`);
    await one.update("g", `third ${round}`, newVersion);
    expect(await servesNow(other, "g")).toBe(`third ${round}`);
    await one.registry.remove("g");
    expect(await servesNow(other, "g")).toBe("unknown");
    await other.add("g", `fourth ${round}`);
    await one.registry.remove("g");
  }
});

test("a call waits for a version that another process has deployed, and then runs it", async () => {
  await using both = await openTwo();
  const { one, other } = both;
  const release = other.hold("new");
  await one.registry.update("f", { src_path: one.stage("new"), ...newVersion });
  const served = servesNow(other, "f");
  await other.loading("new");
  release();
  expect(await served).toBe("new");
});

test("a call of a version that another process has deployed and that doesn't load runs the one before", async () => {
  await using both = await openTwo();
  const { one, other } = both;
  await one.update("f", "bad", newVersion);
  expect(await servesNow(other, "f")).toBe("old");
  expect(one.serves("f")).toBe("old");
});

test("a change is seen within the time for which a look at the file is relied on", async () => {
  await using both = await openTwo();
  const { one, other } = both;
  for (let round = 0; round < 30; round++) {
    const { revision } = other.registry;
    let isDone = false;
    const done = one.registry.add({ name: `a${round}`, type: "alias", target: "f" }).then(() => {
      isDone = true;
    });
    while (!isDone) {
      void other.registry.revision; // looks again and again, so that a look happens shortly before the write
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
    expect(other.registry.revision).toBeGreaterThan(revision);
    expect(await servesNow(other, `a${round}`)).toBe("old");
  }
});

test("a process never mistakes its own change for another's: a deployment is loaded once", async () => {
  await using one = openRegistry();
  for (let round = 0; round < 10; round++) {
    const deployed = one.add(`f${round}`, `code ${round}`);
    let isDone = false;
    const done = deployed.then(() => {
      isDone = true;
    });
    while (!isDone) await one.registry.refresh();
    await done;
  }
  expect(one.loads).toEqual(Array.from({ length: 10 }, (_, round) => `code ${round}, own`));
});

test("a registry with an invalid state file fails with file and line, and doesn't change the file", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "state.ini");
  const text = "[Query Objects Service Versions]\nf = {}\ng = {\n";
  writeFileSync(path, text);
  expect(() => openRegistry({ folder: folder.path })).toThrow(
    expect.objectContaining({
      code: "config",
      message: expect.stringContaining(`Cannot read the endpoint "g" ("${path}" line 3)`),
    }),
  );
  expect(readFileSync(path, "utf8")).toBe(text);
});

const damages: readonly [what: string, damage: (path: string) => void, message: string][] = [
  ["is broken", (path) => writeFileSync(path, "[Meta\nx"), "line 1: expected a section header"],
  ["has a broken record", (path) => writeFileSync(path, versions("f = {")), "expected JSON"],
  ["is missing", (path) => renameSync(path, `${path}.away`), "is gone"],
];
for (const [what, damage, message] of damages) {
  test(`a change is refused while the state file ${what}, and the function keeps serving`, async () => {
    await using one = openRegistry();
    await one.add("f", "old");
    const path = join(one.folder, "state.ini");
    const sound = readFileSync(path, "utf8");
    const source = one.stage("new");
    damage(path);
    const damaged = existsSync(path) ? readFileSync(path, "utf8") : undefined;
    for (const act of [
      () => one.registry.add({ name: "g", type: "model", src_path: source }),
      () => one.registry.update("f", { src_path: source, ...newVersion }),
      () => one.registry.remove("f"),
    ]) {
      await expect(act()).rejects.toMatchObject({ message: expect.stringContaining(message) });
      expect(existsSync(path) ? readFileSync(path, "utf8") : undefined).toBe(damaged);
    }
    await one.registry.refresh();
    await one.registry.refresh();
    expect(one.logLines.filter((line) => line.includes(message)).length).toBe(damaged === undefined ? 0 : 1);
    expect(one.serves("f")).toBe("old");
    writeFileSync(path, sound);
    await one.update("f", "new", newVersion);
    expect(one.serves("f")).toBe("new");
  });
}

test("refresh() logs a fault again after the state file was valid meanwhile", async () => {
  await using one = openRegistry();
  await one.add("f", "old");
  const path = join(one.folder, "state.ini");
  const sound = readFileSync(path, "utf8");
  for (const text of ["broken", sound, "broken"]) {
    writeFileSync(path, text);
    await one.registry.refresh();
  }
  expect(one.logLines.filter((line) => line.includes("expected a section header"))).toHaveLength(2);
});

test("two processes that deploy into one folder concurrently lose nothing", async () => {
  using folder = temporaryFolder();
  const program = (prefix: string) => `
    const { openRegistry } = await import(${JSON.stringify(join(import.meta.dir, "registry-folder.ts"))});
    await using one = openRegistry({ folder: ${JSON.stringify(folder.path)} });
    for (let at = 0; at < 15; at++) {
      await one.add("${prefix}" + at, "code of ${prefix}" + at);
      if (at % 3 === 0) await one.registry.remove("${prefix}" + at);
      else await one.update("${prefix}" + at, "new code of ${prefix}" + at, { should_update_version: true });
    }`;
  const children = ["a", "b"].map((prefix) =>
    Bun.spawn([process.execPath, "-e", program(prefix)], {
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
    }),
  );
  expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0]);
  await using one = openRegistry({ folder: folder.path });
  await one.registry.start();
  await one.registry.loadedAtStart;
  const expected = ["a", "b"].flatMap((prefix) =>
    Array.from({ length: 15 }, (_, at) => `${prefix}${at}`).filter((_, at) => at % 3 !== 0),
  );
  expect(Object.keys(one.registry.list()).sort()).toEqual(expected.sort());
  expect(expected.map(one.serves)).toEqual(expected.map((name) => `new code of ${name}`));
  // Each started from revision 1 or from what the other had written: 15 deployments and 15 changes each.
  expect(readFileSync(join(folder.path, "state.ini"), "utf8")).toContain("Revision Number = 61\n");
});

/** Remove `f` and deploy it again, with the same version and times as before. */
async function replaceInOneSecond(one: TestRegistry): Promise<void> {
  const path = join(one.folder, "state.ini");
  const before = readFileSync(path, "utf8");
  await one.registry.remove("f");
  await one.add("f", "new");
  const revision = /Revision Number = \d+/;
  const [after = ""] = revision.exec(readFileSync(path, "utf8")) ?? [];
  writeFileSync(path, before.replace(revision, after));
}

function versions(line: string): string {
  return `[Query Objects Service Versions]\n${line}\n`;
}
