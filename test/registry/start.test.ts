// What a start loads, and which archive serves when archives were changed meanwhile.

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { archivesOf, openRegistry, restart } from "./registry-folder.ts";

test("of several earlier versions the newest that loads serves after a restart", async () => {
  await using one = openRegistry();
  await one.add("f", "one");
  await one.registry.stop();
  for (const [version, text] of Object.entries({ 2: "two", 9: "nine", 10: "ten", 11: "bad", 13: "later" })) {
    const place = join(one.folder, "query_objects", "f", version);
    mkdirSync(place);
    writeFileSync(join(place, "pickle_archive"), text);
  }
  const path = join(one.folder, "state.ini");
  writeFileSync(path, readFileSync(path, "utf8").replace('"version": 1', '"version": 12'));
  await using again = await restart(one);
  expect([again.serves("f"), again.loads]).toEqual(["ten", ["bad, shared", "ten, shared"]]);
  expect(again.logLines.join("\n")).toContain(
    "Version 10 deployed before as endpoint f serves: version 12 doesn't load",
  );
});

test("start() loads every model, one after the other in a shared process, and serves meanwhile", async () => {
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

test("start() doesn't load a function that was removed before its turn", async () => {
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
  test(`start() with an archive that ${what} reports it and serves the rest`, async () => {
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

test("start() after a deployment that was killed between its two renames serves the archive moved aside", async () => {
  await using one = openRegistry();
  await one.add("f", "old");
  const home = join(one.folder, "query_objects", "f");
  mkdirSync(join(home, "replaced-1"));
  writeFileSync(join(home, "replaced-1", "pickle_archive"), "old");
  rmSync(join(home, "1"), { recursive: true });
  await using again = await restart(one);
  await again.registry.stop();
  expect([again.serves("f"), again.status("f")]).toMatchObject(["old", { status: "LoadSuccessful" }]);
  await again.update("f", "new");
  expect(again.serves("f")).toBe("new");
  await again.registry.stop();
  expect(archivesOf(again, "f")).toEqual(["1"]);
});

test("start() serves TabPy's archives when TABPY_QUERY_OBJECT_PATH names another folder", async () => {
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

test("an endpoint of an unknown type doesn't load", async () => {
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
