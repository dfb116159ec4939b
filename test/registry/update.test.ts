// Changing endpoints: versions, members that a body leaves out, and every refusal with TabPy's message.

import { expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseExactJson } from "../../src/python-json.ts";
import { newVersion, openRegistry, snapshot } from "./registry-folder.ts";

const change = "Error when changing TabPy state:";

test("update() makes a new version only when the body asks for it", async () => {
  await using one = openRegistry();
  await one.add("f", "one");
  const versions: unknown[] = [];
  for (const wanted of [undefined, false, true, "true", 1, true]) {
    await one.update("f", `code for ${wanted}`, { should_update_version: wanted });
    versions.push(one.registry.list().f?.version);
    expect(one.serves("f")).toBe(`code for ${wanted}`);
  }
  expect(versions).toEqual([1, 1, 2, 2, 2, 3]);
});

// TabPy's clients before 2.12 send the version that they want, and know no should_update_version.
const sentVersions: readonly [what: string, body: object, version: number][] = [
  ["the next version", { version: 3 }, 3],
  ["a much higher version", { version: 17 }, 17],
  ["the next version, and null for should_update_version", { version: 3, should_update_version: null }, 3],
  ["the current version", { version: 2 }, 2],
  ["a lower version", { version: 1 }, 2],
  ["a version of 0", { version: 0 }, 2],
  ["the next version, but no wish for it", { version: 3, should_update_version: false }, 2],
  ["a higher version, and the wish for the next one", { version: 17, should_update_version: true }, 3],
  ["a version that is text", { version: "3" }, 2],
  ["a version that is no integer", { version: 2.5 }, 2],
  ["a version that no archive can have", { version: 1e9 }, 2],
  ["a version that is null", { version: null }, 2],
];
for (const [what, body, version] of sentVersions) {
  test(`update() of version 2 with ${what} makes version ${version}`, async () => {
    await using one = openRegistry();
    await one.add("f", "one");
    await one.update("f", "two", newVersion);
    await one.update("f", "three", body);
    expect([one.registry.list().f?.version, one.serves("f")]).toEqual([version, "three"]);
    expect(one.status("f")).toMatchObject({ version, status: "LoadSuccessful" });
    await using again = openRegistry({ folder: one.folder });
    expect(again.registry.list().f?.version).toBe(version);
  });
}

const full = {
  description: "d",
  docstring: "doc",
  dependencies: ["x"],
  schema: { a: 1 },
  is_public: true,
};
const changes: readonly [member: string, value: unknown][] = [
  ["description", ""],
  ["docstring", ""],
  ["dependencies", []],
  ["schema", false],
  ["is_public", false],
];
for (const [member, value] of changes) {
  test(`update() changes only the ${member} when the body has no other member`, async () => {
    await using one = openRegistry();
    await one.add("f", "code", full);
    const { last_modified_time: _, ...before } = one.registry.list().f ?? {};
    await one.update("f", "code", { [member]: value });
    expect(one.registry.list().f).toMatchObject({ ...before, [member]: value });
    await one.update("f", "code", Object.fromEntries(changes.map(([name]) => [name, null])));
    expect(one.registry.list().f).toMatchObject({ ...before, [member]: value });
  });
}

test("update() keeps unknown members of a record", async () => {
  await using one = openRegistry();
  await one.add("f", "code");
  const path = join(one.folder, "state.ini");
  writeFileSync(path, readFileSync(path, "utf8").replace('"is_public"', '"methods": [1.0], "is_public"'));
  await one.update("f", "code", { description: "new" });
  expect(readFileSync(path, "utf8")).toContain('"methods": [1.0]');
  expect(one.registry.list().f).not.toHaveProperty("methods");
});

test("update() without a new version accepts a src_path that was moved away", async () => {
  await using one = openRegistry();
  await one.add("f", "code");
  const source = one.stage("other");
  rmSync(source, { recursive: true });
  await one.registry.update("f", { src_path: source, description: "new" });
  expect([one.serves("f"), one.registry.list().f?.description]).toEqual(["code", "new"]);
  expect(one.loads).toHaveLength(1);
  await expect(one.registry.update("f", { src_path: source, ...newVersion })).rejects.toMatchObject({
    code: "bad-request",
    message: `src_path ${source} does not exist.`,
  });
  expect(one.registry.list().f?.version).toBe(1);
});

const badUpdates: readonly [what: string, name: string, body: unknown, code: string, message: string][] = [
  ["an unknown name", "g", { src_path: "SOURCE" }, "not-found", "endpoint g does not exist."],
  ["an invalid name", "../f", { src_path: "SOURCE" }, "not-found", "endpoint ../f does not exist."],
  ["an unknown name with a list", "g", [], "not-found", "endpoint g does not exist."],
  ["a list", "f", [], "bad-request", "Failed to decode input body"],
  ["a number", "f", parseExactJson("5"), "bad-request", "Failed to decode input body"],
  ...["", " ", 0, false].map((src_path): (typeof badUpdates)[number] => [
    `the src_path ${JSON.stringify(src_path)}`,
    "f",
    { src_path, description: 5 },
    "bad-request",
    "src_path is required to add/update an endpoint.",
  ]),
  ["a src_path that is no text", "f", { src_path: 5 }, "bad-request", "src_path must be a string."],
  [
    "an alias without a target",
    "f",
    { type: "alias", src_path: "SOURCE" },
    "bad-request",
    "Target is required for alias endpoint.",
  ],
  [
    "a description that is no text",
    "f",
    { src_path: "SOURCE", description: 5 },
    "bad-request",
    `${change} description must be a string.`,
  ],
  [
    "a version above the current one without its archive",
    "f",
    { src_path: "SOURCE0", version: 2 },
    "bad-request",
    "src_path SOURCE0 does not exist.",
  ],
  [
    "no src_path",
    "f",
    { description: "new" },
    "bad-request",
    "src_path is required to add/update an endpoint.",
  ],
  [
    "another type",
    "f",
    { type: "alias", target: "f", src_path: "SOURCE" },
    "bad-request",
    `${change} endpoint f is of the type model, which can't become alias.`,
  ],
  [
    "a schema too deep to be read again",
    "f",
    { src_path: "SOURCE", schema: nested(3000) },
    "bad-request",
    `${change} schema is nested too deeply.`,
  ],
];
for (const [what, name, body, code, message] of badUpdates) {
  test(`update() refuses ${what} and changes nothing`, async () => {
    await using one = openRegistry();
    await one.add("f", "code");
    const source = one.stage("new");
    const before = snapshot(one.folder);
    const filled = parseExactJson(JSON.stringify(body).replace("SOURCE", source));
    await expect(one.registry.update(name, filled)).rejects.toMatchObject({
      code,
      message: message.replace("SOURCE", source),
    });
    expect(snapshot(one.folder)).toEqual(before);
    expect(one.serves("f")).toBe("code");
  });
}

test("a schema that is nested as deeply as Python can read is accepted", async () => {
  await using one = openRegistry();
  await one.add("f", "code", { schema: nested(100) });
  await using again = openRegistry({ folder: one.folder });
  expect(again.registry.list().f?.schema).toEqual(nested(100));
});

/** Lists in lists. */
function nested(depth: number): unknown {
  let value: unknown = [];
  for (let level = 1; level < depth; level++) value = [value];
  return value;
}
