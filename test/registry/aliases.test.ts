// Aliases: which endpoint they resolve to, and which targets are refused.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openRegistry, type TestRegistry } from "./registry-folder.ts";

const change = "Error when changing TabPy state:";

/** f and g are functions; first -> f, second -> first. */
async function openAliases(): Promise<TestRegistry> {
  const one = openRegistry();
  await one.add("f", "code of f");
  await one.add("g", "code of g");
  await one.registry.add({ name: "first", type: "alias", target: "f" });
  await one.registry.add({ name: "second", type: "alias", target: "first" });
  return one;
}

test("an alias resolves to the function at the end of its chain", async () => {
  await using one = await openAliases();
  for (const name of ["f", "first", "second"]) {
    expect(one.registry.resolve(name)).toMatchObject({ kind: "model", model: { name: "f", version: 1 } });
  }
});

test("an alias has its target as its only dependency, no archive, and is loaded", async () => {
  await using one = await openAliases();
  expect(one.registry.list().second).toMatchObject({
    type: "alias",
    target: "first",
    dependencies: ["first"],
  });
  expect(one.status("second")).toEqual({
    version: 1,
    type: "alias",
    status: "LoadSuccessful",
    last_error: null,
  });
  expect(one.loads).toEqual(["code of f, own", "code of g, own"]);
  await using again = openRegistry({ folder: one.folder });
  expect(again.registry.list().second).toMatchObject({
    type: "alias",
    target: "first",
    dependencies: ["first"],
  });
});

test("add() uses the first dependency as the target when there is no target, as TabPy's client sends it", async () => {
  await using one = await openAliases();
  await one.registry.add({ name: "third", type: "alias", target: null, dependencies: ["g", "f"] });
  expect(one.registry.list().third).toMatchObject({ target: "g", dependencies: ["g"] });
});

test("update() changes the target of an alias at once", async () => {
  await using one = await openAliases();
  const { revision } = one.registry;
  await one.registry.update("first", { target: "g" });
  expect(one.registry.revision).toBeGreaterThan(revision);
  expect(["first", "second"].map(one.serves)).toEqual(["code of g", "code of g"]);
  await one.registry.update("first", { dependencies: ["f"] });
  expect(one.serves("second")).toBe("code of f");
});

test("update() of another member keeps the target, and needs no src_path", async () => {
  await using one = await openAliases();
  await one.registry.update("first", { description: "new", should_update_version: true });
  expect(one.registry.list().first).toMatchObject({ target: "f", description: "new", version: 2 });
});

const refused: readonly [what: string, act: (one: TestRegistry) => Promise<unknown>, message: string][] = [
  [
    "no target",
    (one) => one.registry.add({ name: "x", type: "alias" }),
    "Target is required for alias endpoint.",
  ],
  ...[null, "", 0, [], {}].map((target): (typeof refused)[number] => [
    `an update to the target ${JSON.stringify(target)}`,
    (one) => one.registry.update("first", { type: "alias", target }),
    "Target is required for alias endpoint.",
  ]),
  [
    "an update without a target",
    (one) => one.registry.update("first", { type: "alias", description: "new" }),
    "Target is required for alias endpoint.",
  ],
  [
    "an update to a target that is no text",
    (one) => one.registry.update("first", { target: 5 }),
    `${change} target must be a string.`,
  ],
  [
    "a target that isn't there",
    (one) => one.registry.add({ name: "x", type: "alias", target: "nothing" }),
    `${change} target endpoint nothing does not exist.`,
  ],
  [
    "itself as its target",
    (one) => one.registry.add({ name: "x", type: "alias", target: "x" }),
    `${change} target x leads back to x.`,
  ],
  [
    "a circle of two",
    (one) => one.registry.update("first", { target: "second" }),
    `${change} target second leads back to first.`,
  ],
  [
    "a new target that isn't there",
    (one) => one.registry.update("first", { target: "nothing" }),
    `${change} target endpoint nothing does not exist.`,
  ],
  [
    "the removal of its function",
    (one) => one.registry.remove("f"),
    "Cannot remove endpoint f, it is currently used by ['first'] endpoints.",
  ],
  [
    "the removal of an alias on its way",
    (one) => one.registry.remove("first"),
    "Cannot remove endpoint first, it is currently used by ['second'] endpoints.",
  ],
];
for (const [what, act, message] of refused) {
  test(`an alias refuses ${what} and stays as it is`, async () => {
    await using one = await openAliases();
    const before = one.registry.list();
    await expect(act(one)).rejects.toMatchObject({ code: "bad-request", message });
    expect(one.registry.list()).toEqual(before);
    expect(["first", "second"].map(one.serves)).toEqual(["code of f", "code of f"]);
  });
}

test("remove() removes a function only when no alias leads to it", async () => {
  await using one = await openAliases();
  for (const name of ["second", "first", "f"]) await one.registry.remove(name);
  expect(Object.keys(one.registry.list())).toEqual(["g"]);
  expect(one.serves("first")).toBe("unknown");
});

test("resolve() reports a loop of aliases that another program has written", async () => {
  await using one = await openAliases();
  const path = join(one.folder, "state.ini");
  writeFileSync(path, readFileSync(path, "utf8").replace('"target": "f"', '"target": "second"'));
  await one.registry.refresh();
  expect(one.registry.resolve("second")).toEqual({
    kind: "unusable",
    name: "second",
    reason: "the alias second leads back to itself",
  });
  await one.registry.update("first", { target: "g" });
  expect(one.serves("second")).toBe("code of g");
});

test("resolve() returns unknown for an alias whose target another program has removed", async () => {
  await using one = await openAliases();
  const path = join(one.folder, "state.ini");
  writeFileSync(path, readFileSync(path, "utf8").replace(/^f = .*\n/gm, ""));
  await one.registry.refresh();
  expect(one.registry.resolve("second")).toEqual({ kind: "unknown" });
});
