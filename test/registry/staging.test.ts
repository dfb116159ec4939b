// Which folders may be deployed, and what a deployment copies: real files.

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Staging } from "../../src/registry/staging.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { openRegistry } from "./registry-folder.ts";

const outside = "src_path must be a folder inside the upload destination";
const noArchive = "src_path must contain a file pickle_archive";

/** Makes `staging` below `folder`, and beside it `elsewhere`, which contains an archive too. */
function place(folder: string): { staging: string; elsewhere: string; good: string } {
  const staging = join(folder, "staging");
  const good = join(staging, "endpoints", "f", "1");
  const elsewhere = join(folder, "staging-elsewhere");
  for (const path of [good, elsewhere]) {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "pickle_archive"), "code");
  }
  return { staging, elsewhere, good };
}

type Places = ReturnType<typeof place>;
const badSources: readonly [what: string, path: (places: Places) => string, message: string][] = [
  ["another folder", ({ elsewhere }) => elsewhere, outside],
  ["another folder by ..", ({ staging }) => `${staging}/endpoints/../../staging-elsewhere`, outside],
  ["another folder that doesn't exist", ({ elsewhere }) => `${elsewhere}/nothing`, outside],
  ["a way out that doesn't exist", ({ staging }) => `${staging}/../nothing`, outside],
  ["the staging folder itself", ({ staging }) => staging, outside],
  ["the root", () => "/", outside],
  ["nothing", () => "", outside],
  ["a relative path", ({ good }) => relative("/", good), outside],
  ["a path with NUL", ({ good }) => `${good}\0`, outside],
  ["a path that is too long", ({ staging }) => `${staging}/${"x/".repeat(5000)}`, outside],
  ["a way through a file", ({ good }) => `${good}/pickle_archive/x`, outside],
  [
    "a link to another folder",
    ({ staging, elsewhere }) => {
      symlinkSync(elsewhere, join(staging, "link"));
      return join(staging, "link");
    },
    outside,
  ],
  [
    "a way through a link to another folder",
    ({ staging }) => {
      symlinkSync(join(staging, ".."), join(staging, "link"));
      return join(staging, "link", "staging-elsewhere");
    },
    outside,
  ],
  [
    "a link to itself",
    ({ staging }) => {
      symlinkSync(join(staging, "link"), join(staging, "link"));
      return join(staging, "link");
    },
    outside,
  ],
  ["a file", ({ good }) => join(good, "pickle_archive"), "src_path must be a folder, got"],
  ["a folder without an archive", ({ staging }) => join(staging, "endpoints"), noArchive],
  [
    "a folder whose archive is a link",
    ({ staging, elsewhere }) => {
      mkdirSync(join(staging, "x"));
      symlinkSync(join(elsewhere, "pickle_archive"), join(staging, "x", "pickle_archive"));
      return join(staging, "x");
    },
    noArchive,
  ],
  [
    "a folder whose archive is a folder",
    ({ staging }) => {
      mkdirSync(join(staging, "x", "pickle_archive"), { recursive: true });
      return join(staging, "x");
    },
    noArchive,
  ],
];
for (const [what, path, message] of badSources) {
  test(`source() refuses ${what}`, async () => {
    using folder = temporaryFolder();
    const bad = path(place(folder.path));
    await expect(new Staging(folder.path, 100).source(bad)).rejects.toMatchObject({
      code: "bad-request",
      message: expect.stringContaining(message),
    });
  });
}

test("source() finds a folder inside, even by a detour or when the state folder is a link", async () => {
  using folder = temporaryFolder();
  const { good, staging } = place(folder.path);
  symlinkSync(folder.path, join(folder.path, "state"));
  const expected = { folder: good, isUploaded: false };
  const linked = new Staging(join(folder.path, "state"), 100);
  for (const path of [
    good,
    `${good}/`,
    `${staging}/x/../endpoints/f/./1`,
    join(linked.path, "endpoints/f/1"),
  ]) {
    if (path.includes("/x/")) mkdirSync(join(staging, "x"));
    expect(await linked.source(path)).toEqual(expected);
  }
});

test("source() returns undefined for a folder inside that doesn't exist", async () => {
  using folder = temporaryFolder();
  const staging = new Staging(folder.path, 100);
  expect(await staging.source(join(staging.path, "endpoints", "f", "1"))).toBeUndefined();
});

test("a deployment refuses a link among its files, and leaves nothing", async () => {
  await using one = openRegistry();
  const source = one.stage("code");
  mkdirSync(join(source, "more"));
  symlinkSync("/etc/passwd", join(source, "more", "link"));
  await expect(one.registry.add({ name: "f", type: "model", src_path: source })).rejects.toMatchObject({
    code: "bad-request",
    message: expect.stringContaining("src_path must contain only files and folders"),
  });
  expect(readdirSync(join(one.folder, "query_objects", "f"))).toEqual([]);
});

test("a deployment copies all files that a client has put into the staging folder", async () => {
  await using one = openRegistry();
  const source = one.stage("code");
  mkdirSync(join(source, "more"));
  writeFileSync(join(source, "more", "data"), "x");
  writeFileSync(join(source, ".tabpy-tmp-of-an-upload"), "half");
  await one.registry.add({ name: "f", type: "model", src_path: source });
  await one.registry.settled(5000);
  const place = join(one.folder, "query_objects", "f", "1");
  expect(readFileSync(join(place, "more", "data"), "utf8")).toBe("x");
  expect(readdirSync(place).sort()).toEqual(["more", "pickle_archive"]);
  expect(readFileSync(join(source, "pickle_archive"), "utf8")).toBe("code");
});

test("a deployment records the Python and cloudpickle that its client names, and nothing else", async () => {
  await using one = openRegistry();
  const facts = async (body: object) => {
    await one.update("f", "code", body);
    const path = join(one.folder, "query_objects", "f", "1", "deployment.json");
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  };
  await one.add("f", "code");
  expect(await facts({ python_version: "3.11.2", cloudpickle_version: "3.0.0", other: "x" })).toBe(
    '{"python":"3.11.2","cloudpickle":"3.0.0"}',
  );
  expect(await facts({ python_version: "3.11.2", cloudpickle_version: 3 })).toBe('{"python":"3.11.2"}');
  expect(await facts({ python_version: "x".repeat(65), cloudpickle_version: null })).toBeUndefined();
});
