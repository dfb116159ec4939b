// A disk that is full, and one that can't be written: every change says which file it could not write and why, and loses
// nothing. The archives are larger than the blocks of the disk, so that they don't fit into what is left.

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { storageError } from "../../src/registry/storage.ts";
import { mountSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { newVersion, openRegistry, snapshot, type TestRegistry } from "./registry-folder.ts";

const faults = [
  {
    what: "full",
    code: "disk-full",
    reason: "the disk is full",
    begin: (disk: SmallDisk) => disk.fill(),
    end: (disk: SmallDisk) => disk.empty(),
  },
  {
    what: "read-only",
    code: "unavailable",
    reason: "the file system is read-only",
    begin: (disk: SmallDisk) => disk.setReadOnly(true),
    end: (disk: SmallDisk) => disk.setReadOnly(false),
  },
] as const;

/** Each change, with the staged archive "new", and the end of the name of the file that it can't write. */
const changes: readonly [
  what: string,
  file: string,
  act: (one: TestRegistry, staged: string) => Promise<unknown>,
][] = [
  [
    "a deployment",
    "query_objects/g",
    (one, src_path) => one.registry.add({ name: "g", type: "model", src_path }),
  ],
  [
    "a new version",
    "query_objects/f",
    (one, src_path) => one.registry.update("f", { src_path, ...newVersion }),
  ],
  ["a change of archive", "query_objects/f", (one, src_path) => one.registry.update("f", { src_path })],
  [
    "a new description",
    "state.ini",
    (one) => one.registry.update("f", { src_path: gone(one), description: "new" }),
  ],
  ["an alias", "state.ini", (one) => one.registry.add({ name: "g", type: "alias", target: "f" })],
  ["a removal", "state.ini", (one) => one.registry.remove("f")],
  ["an upload", "pickle_archive", (one) => one.registry.receiveUpload("f", "9", Readable.from(["code"]), 4)],
];

for (const { what: state, code, reason, begin, end } of faults) {
  for (const [what, file, act] of changes) {
    test(`${what} on a ${state} disk names the file and the reason, changes nothing, and succeeds later`, async () => {
      using disk = mountSmallDisk("1m");
      if (disk === undefined) return;
      await using one = openRegistry({ folder: disk.path });
      await one.add("f", "old");
      const staged = one.stage("new", "x");
      const before = kept(one);
      begin(disk);
      await expect(act(one, staged)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(new RegExp(`^Cannot write ".*${file}": ${reason}$`)),
      });
      expect(kept(one)).toEqual(before);
      expect([one.serves("f"), one.serves("g")]).toEqual(["old", "unknown"]);
      end(disk);
      await act(one, staged);
    });
  }

  test(`a start on a ${state} disk warns, and what was deployed serves`, async () => {
    using disk = mountSmallDisk("1m");
    if (disk === undefined) return;
    await using one = openRegistry({ folder: disk.path });
    await one.add("f", "old");
    begin(disk);
    await using again = openRegistry({ folder: disk.path });
    await again.registry.start();
    await again.registry.loadedAtStart;
    const warning = `[WARNING] (registry.ts:registry:0): Functions can't be deployed, changed or removed: Cannot write "${disk.path}": ${reason}`;
    expect(again.logLines.filter((line) => /\[WARNING\]/.test(line)).join()).toContain(
      warning.slice(warning.indexOf("Functions")),
    );
    expect(again.serves("f")).toBe("old");
    end(disk);
  });
}

for (const more of [{}, newVersion]) {
  test(`when state.ini can't be written after the archive was installed, ${JSON.stringify(more)}, the old one is back`, async () => {
    using folder = mountSmallDisk("1m");
    if (folder === undefined) return;
    using archives = mountSmallDisk("1m");
    if (archives === undefined) return;
    await using one = openRegistry({ folder: folder.path, queryObjectPath: archives.path });
    await one.add("f", "old");
    const uploaded = await one.registry.receiveUpload("f", "2", Readable.from(["new"]), 3);
    const before = [snapshot(archives.path), kept(one)];
    folder.fill();
    await expect(one.registry.update("f", { src_path: uploaded, ...more })).rejects.toMatchObject({
      code: "disk-full",
      message: `Cannot write "${join(folder.path, "state.ini")}": the disk is full`,
    });
    expect([snapshot(archives.path), kept(one)]).toEqual(before);
    expect(one.serves("f")).toBe("old");
    folder.empty();
    await one.registry.update("f", { src_path: uploaded, ...more });
    await one.registry.settled(5000);
    expect(one.serves("f")).toBe("new");
  });
}

test("a deployment of an upload that fails can be repeated with the same src_path", async () => {
  using disk = mountSmallDisk("1m");
  if (disk === undefined) return;
  await using one = openRegistry({ folder: disk.path });
  const uploaded = await one.registry.receiveUpload("f", "1", Readable.from(["code"]), 4);
  disk.fill();
  const body = { name: "f", type: "model", src_path: uploaded, python_version: "3.12" };
  await expect(one.registry.add(body)).rejects.toMatchObject({ code: "disk-full" });
  expect(readFileSync(join(uploaded, "pickle_archive"), "utf8")).toBe("code");
  disk.empty();
  await one.registry.add(body);
  await one.registry.settled(5000);
  expect(one.serves("f")).toBe("code");
  expect(existsSync(join(uploaded, "pickle_archive"))).toBe(false);
});

const errors: readonly [errno: string, code: string, reason: string][] = [
  ["ENOSPC", "disk-full", "the disk is full"],
  ["EDQUOT", "disk-full", "the disk quota is used up"],
  ["EACCES", "unavailable", "permission denied"],
  ["EPERM", "unavailable", "permission denied"],
  ["EIO", "unavailable", "EIO: text"],
];
for (const [errno, code, reason] of errors) {
  test(`storageError() makes ${code} of ${errno}`, () => {
    const error = Object.assign(new Error(`${errno}: text`), { code: errno });
    expect(storageError("/a/b", error)).toMatchObject({ code, message: `Cannot write "/a/b": ${reason}` });
  });
}

test("storageError() keeps errors that aren't the system's", () => {
  for (const error of [new TypeError("x"), Object.assign(new Error(), { code: "ERR_X" })]) {
    expect(storageError("/a/b", error)).toBe(error);
  }
});

/** The files of the registry with their contents. */
function kept({ folder }: TestRegistry): Record<string, string> {
  return Object.fromEntries(Object.entries(snapshot(folder)).filter(([path]) => !path.endsWith("filler")));
}

/** A folder to deploy from that isn't there. */
function gone({ registry }: TestRegistry): string {
  return join(registry.uploadPath, "gone");
}
