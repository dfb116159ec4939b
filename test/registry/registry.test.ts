// Deploying and removing functions, and every refusal with TabPy's message.

import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseExactJson, pythonJson } from "../../src/python-json.ts";
import { newVersion, openRegistry, snapshot } from "./registry-folder.ts";

test("add() deploys version 1 with the members of the body", async () => {
  await using one = openRegistry();
  const body = {
    name: "two words-and_more",
    type: "model",
    description: "100% of é",
    docstring: "Adds.\n\n  x\n",
    dependencies: ["other"],
    methods: ["query"],
    schema: parseExactJson('{"x": [1.0, 12345678901234567890]}'),
    is_public: true,
    src_path: one.stage("code"),
  };
  const answer = await one.registry.add(body);
  await one.registry.settled(5000);
  const { creation_time, last_modified_time, ...endpoint } = answer[body.name] ?? {};
  expect(Object.keys(answer)).toEqual([body.name]);
  expect(pythonJson(endpoint)).toBe(
    '{"description": "100% of \\u00e9", "type": "model", "version": 1, "dependencies": ["other"], "target": null, ' +
      '"schema": {"x": [1.0, 12345678901234567890]}, "is_public": true, "docstring": "Adds.\\n\\n  x\\n"}',
  );
  expect(creation_time).toBe(last_modified_time);
  expect(Math.abs(Number(creation_time) - Date.now() / 1000)).toBeLessThan(60);
  expect(Number.isInteger(creation_time)).toBe(true);
  expect(one.registry.list()).toEqual(answer);
  expect(one.serves(body.name)).toBe("code");
  expect(one.audited()).toEqual(["Endpoint two words-and_more added, version 1, type model"]);
  await using again = openRegistry({ folder: one.folder });
  expect(again.registry.list()).toEqual(answer);
});

test("get() shows one endpoint as list() does, and is undefined for other names", async () => {
  await using one = openRegistry();
  await one.add("f", "code");
  expect(pythonJson(one.registry.get("f"))).toBe(pythonJson(one.registry.list().f));
  for (const name of ["g", "__proto__", "toString"]) expect(one.registry.get(name)).toBeUndefined();
});

test("add() has a default for everything but name, type and src_path", async () => {
  await using one = openRegistry();
  await one.add("f", "code", { description: null, docstring: null, schema: null, is_public: null });
  expect(one.registry.list().f).toMatchObject({
    description: "",
    dependencies: [],
    target: null,
    schema: null,
    is_public: false,
    docstring: "-- no docstring found in query function --",
  });
});

const names = "endpoint name can only contain: a-z, A-Z, 0-9, underscore, hyphens and spaces.";
const change = "Error when changing TabPy state:";
const badAdds: readonly [what: string, body: unknown, message: string][] = [
  ["a list", [], "name is required to add an endpoint."],
  ["null", null, "name is required to add an endpoint."],
  ["no name", { type: "model" }, "name is required to add an endpoint."],
  ["a name that is a number", { name: 5 }, "endpoint name must be a string."],
  ["a name that is null", { name: null }, "endpoint name must be a string."],
  ...[
    "",
    " ",
    " a",
    "a ",
    ".",
    "..",
    "a/b",
    "a\\b",
    "a.b",
    "a\0",
    "a\n",
    "\n",
    "a\tb",
    "é",
    "a%",
    "x".repeat(256),
  ].map(
    (name) => [`the name ${JSON.stringify(name.slice(0, 20))}`, { name }, names] as [string, unknown, string],
  ),
  ["a name that is taken", { name: "taken" }, "endpoint taken already exists."],
  ["no src_path", { name: "f", type: "model" }, "src_path is required to add/update an endpoint."],
  [
    "null for src_path",
    { name: "f", type: "model", src_path: null },
    "src_path is required to add/update an endpoint.",
  ],
  // Empty, zero and false are what Python takes for missing; a blank path names no folder either.
  ...["", "  ", "\t\n", 0, false, [], {}].map((src_path): [string, unknown, string] => [
    `the src_path ${JSON.stringify(src_path)}`,
    { name: "f", type: "model", src_path },
    "src_path is required to add/update an endpoint.",
  ]),
  ...[["x"], { a: 1 }, true].map((src_path): [string, unknown, string] => [
    `the src_path ${JSON.stringify(src_path)}`,
    { name: "f", type: "model", src_path },
    "src_path must be a string.",
  ]),
  ["a src_path that is a number", { name: "f", type: "model", src_path: 5 }, "src_path must be a string."],
  ["no type", { name: "f", src_path: "SOURCE" }, `${change} endpoint type must be a string.`],
  [
    "a type that isn't text",
    { name: "f", type: 5, src_path: "SOURCE" },
    `${change} endpoint type must be a string.`,
  ],
  ...["", 0, false, null, [], {}, ["model"], true].map((type): [string, unknown, string] => [
    `the type ${JSON.stringify(type)}`,
    { name: "f", type, src_path: "SOURCE" },
    `${change} endpoint type must be a string.`,
  ]),
  ...[undefined, null, "", 0, false, [], {}].map((target): [string, unknown, string] => [
    `an alias with the target ${JSON.stringify(target)}`,
    { name: "f", type: "alias", target },
    "Target is required for alias endpoint.",
  ]),
  ...[5, ["taken"], { a: 1 }, true].map((target): [string, unknown, string] => [
    `an alias with the target ${JSON.stringify(target)}`,
    { name: "f", type: "alias", target },
    `${change} target must be a string.`,
  ]),
  // Of several faults, the first in TabPy's order is named.
  [
    "every fault at once",
    { name: "f", type: 5, description: 5, src_path: 5, dependencies: 5 },
    "src_path must be a string.",
  ],
  [
    "a missing src_path before a wrong type",
    { name: "f", type: 5, description: 5 },
    "src_path is required to add/update an endpoint.",
  ],
  [
    "a wrong description before a wrong type",
    { name: "f", type: 5, src_path: "SOURCE", description: 5, dependencies: 5 },
    `${change} description must be a string.`,
  ],
  [
    "a missing target before a wrong description",
    { name: "f", type: "alias", description: 5 },
    "Target is required for alias endpoint.",
  ],
  [
    "another type",
    { name: "f", type: "x", src_path: "SOURCE" },
    `${change} endpoint type must be model or alias, got x.`,
  ],
  ...["description", "docstring", "target"].map((member): [string, unknown, string] => [
    `a ${member} that isn't text`,
    { name: "f", type: "model", src_path: "SOURCE", [member]: ["x"] },
    `${change} ${member} must be a string.`,
  ]),
  [
    "an is_public that is neither",
    { name: "f", type: "model", src_path: "SOURCE", is_public: "true" },
    `${change} is_public must be true or false.`,
  ],
  ...["a", [1], { a: 1 }, 5, true].map((dependencies): [string, unknown, string] => [
    `the dependencies ${JSON.stringify(dependencies)}`,
    { name: "f", type: "model", src_path: "SOURCE", dependencies },
    `${change} dependencies must be a list.`,
  ]),
  [
    "a folder that isn't there",
    { name: "f", type: "model", src_path: "NOTHING" },
    "src_path NOTHING does not exist.",
  ],
];
for (const [what, body, message] of badAdds) {
  test(`add() refuses ${what} and changes nothing`, async () => {
    await using one = openRegistry();
    await one.add("taken", "code");
    const source = one.stage("new");
    const places: Record<string, string> = { SOURCE: source, NOTHING: `${source}0` };
    const fill = (text: string) => text.replace(/SOURCE|NOTHING/, (place) => places[place] ?? place);
    const before = snapshot(one.folder);
    const filled = JSON.parse(fill(JSON.stringify(body)));
    await expect(one.registry.add(filled)).rejects.toMatchObject({
      code: "bad-request",
      message: fill(message),
    });
    expect(snapshot(one.folder)).toEqual(before);
    expect(Object.keys(one.registry.list())).toEqual(["taken"]);
  });
}

test("add() takes members that are empty, zero or false for missing ones", async () => {
  for (const empty of [null, "", 0, false, [], {}]) {
    await using one = openRegistry();
    await one.add("f", "code", { description: empty, dependencies: empty, target: empty });
    expect(one.registry.list().f).toMatchObject({ description: "", dependencies: [], target: null });
  }
});

const goodNames = ["a", "-", "_", "7", "a b", "__proto__", "constructor", "DEFAULT", "x".repeat(255)];
for (const name of goodNames) {
  test(`add(), update() and remove() accept the name ${name.slice(0, 20)}`, async () => {
    await using one = openRegistry();
    await one.add(name, "old");
    await one.update(name, "new", newVersion);
    expect(one.serves(name)).toBe("new");
    expect(Object.entries(one.registry.list()).map(([key, { version }]) => [key, version])).toEqual([
      [name, 2],
    ]);
    await using again = openRegistry({ folder: one.folder });
    expect(Object.keys(again.registry.status())).toEqual([name]);
    await one.registry.remove(name);
    expect(one.registry.list()).toEqual({});
    expect(readdirSync(join(one.folder, "query_objects"))).toEqual([]);
  });
}

test("remove() deletes the archives and staged files of the function, and nothing else", async () => {
  await using one = openRegistry();
  for (const name of ["a", "b"]) await one.add(name, `code of ${name}`);
  await one.registry.remove("a");
  expect(one.audited().at(-1)).toBe("Endpoint a removed");
  expect(readdirSync(join(one.folder, "query_objects"))).toEqual(["b"]);
  expect(readdirSync(join(one.folder, "staging", "endpoints"))).toEqual(["b"]);
  expect([one.serves("a"), one.serves("b")]).toEqual(["unknown", "code of b"]);
  expect(Object.keys(one.registry.status())).toEqual(["b"]);
  for (const name of ["a", "..", "b/../b", ""]) {
    await expect(one.registry.remove(name)).rejects.toMatchObject({
      code: "not-found",
      message: `endpoint ${name} does not exist.`,
    });
  }
});

test("remove() touches no folder for a name in the state file that leads elsewhere", async () => {
  await using one = openRegistry();
  await one.add("f", "code");
  const path = join(one.folder, "state.ini");
  const name = "../victim";
  writeFileSync(path, readFileSync(path, "utf8").replace(/^f = /gm, `${name} = `));
  const victims = [one.folder, one.registry.uploadPath].map((folder) => join(folder, "victim", "1"));
  for (const victim of victims) {
    mkdirSync(victim, { recursive: true });
    writeFileSync(join(victim, "pickle_archive"), "");
  }
  await one.registry.refresh();
  await one.registry.settled(5000);
  expect(one.serves(name)).toContain("no query object");
  await one.registry.remove(name);
  expect(victims.map((victim) => readdirSync(victim))).toEqual([["pickle_archive"], ["pickle_archive"]]);
  expect(one.registry.list()).toEqual({});
});

test("remove() removes a function that depends on itself, and refuses one that another depends on", async () => {
  await using one = openRegistry();
  await one.add("f", "code", { dependencies: ["f"] });
  await one.add("g", "code", { dependencies: ["x", "f"] });
  await expect(one.registry.remove("f")).rejects.toMatchObject({
    code: "bad-request",
    message: "Cannot remove endpoint f, it is currently used by ['g'] endpoints.",
  });
  await one.registry.remove("g");
  await one.registry.remove("f");
  expect(one.registry.list()).toEqual({});
});

test("an endpoint whose folder can't be made is not deployed at all", async () => {
  await using one = openRegistry();
  writeFileSync(join(one.folder, "query_objects"), "no folder");
  await expect(one.add("f", "code")).rejects.toThrow();
  expect(one.registry.list()).toEqual({});
  rmSync(join(one.folder, "query_objects"));
  await one.add("f", "code");
  expect(one.serves("f")).toBe("code");
});

test("concurrent deployments of many functions all succeed", async () => {
  await using one = openRegistry();
  const all = Array.from({ length: 20 }, (_, at) => `f${at}`);
  await Promise.all(all.map((name) => one.add(name, `code of ${name}`)));
  expect(Object.keys(one.registry.list()).sort()).toEqual([...all].sort());
  expect(all.map(one.serves)).toEqual(all.map((name) => `code of ${name}`));
});

test("of two concurrent deployments of one name one is refused, and leaves nothing", async () => {
  await using one = openRegistry();
  const results = await Promise.allSettled(["one", "two"].map((text) => one.add("f", text)));
  expect(results.map((result) => result.status).sort()).toEqual(["fulfilled", "rejected"]);
  const kept = results[0]?.status === "fulfilled" ? "one" : "two";
  expect(one.serves("f")).toBe(kept);
  expect(readdirSync(join(one.folder, "query_objects", "f"))).toEqual(["1"]);
});

test("concurrent removals and deployments of one name leave archives that match the state file", async () => {
  await using one = openRegistry();
  await one.add("f", "start");
  for (let round = 0; round < 20; round++) {
    await Promise.allSettled([
      one.registry.remove("f"),
      one.add("f", `code ${round}`),
      one.add("f", `more ${round}`),
    ]);
    await one.registry.settled(5000);
    const isThere = "f" in one.registry.list();
    expect(
      one.serves("f").startsWith(isThere ? "code" : "unknown") || one.serves("f").startsWith("more"),
    ).toBe(true);
    if (!isThere) await one.add("f", "again");
  }
});
