// Uploads: stored whole or not at all, inside the staging folder, and moved when they are deployed.

import { expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Staging } from "../../src/registry/staging.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { newVersion, openRegistry } from "./registry-folder.ts";

test("receive() stores an upload in the folder that it returns", async () => {
  using folder = temporaryFolder();
  const staging = new Staging(folder.path, 10);
  const path = await staging.receive(
    "two words",
    "12",
    Readable.from([Buffer.from("12345"), Buffer.from("67890")]),
  );
  expect(path).toBe(join(folder.path, "staging", "endpoints", "two words", "12"));
  expect(readdirSync(path)).toEqual(["pickle_archive"]);
  expect(readFileSync(join(path, "pickle_archive"), "utf8")).toBe("1234567890");
  expect(await staging.source(path)).toEqual({ folder: path, isUploaded: true });
});

test("receive() replaces an earlier upload", async () => {
  using folder = temporaryFolder();
  const staging = new Staging(folder.path, 100);
  for (const text of ["first", "second"]) await staging.receive("f", "1", Readable.from([Buffer.from(text)]));
  expect(readdirSync(staging.folderOf("f", "1"))).toEqual(["pickle_archive"]);
  expect(readFileSync(join(staging.folderOf("f", "1"), "pickle_archive"), "utf8")).toBe("second");
});

test("receive() stores an upload also when its function is removed, or another upload of it fails, meanwhile", async () => {
  using folder = temporaryFolder();
  const staging = new Staging(folder.path, 100);
  const bytes = async function* () {
    yield Buffer.from("first ");
    await staging.remove("f");
    const other = Readable.from([Buffer.alloc(101)]);
    await expect(staging.receive("f", "1", other)).rejects.toMatchObject({ code: "too-large" });
    yield Buffer.from("second");
  };
  const path = await staging.receive("f", "1", Readable.from(bytes()));
  expect(readFileSync(join(path, "pickle_archive"), "utf8")).toBe("first second");
});

test("receive() accepts an empty upload", async () => {
  using folder = temporaryFolder();
  const path = await new Staging(folder.path, 100).receive("f", "1", Readable.from([]));
  expect(statSync(join(path, "pickle_archive")).size).toBe(0);
});

const brokenUploads: readonly [what: string, bytes: () => Readable, code: string, message: string][] = [
  [
    "that is too large",
    () => Readable.from([Buffer.alloc(6), Buffer.alloc(5), Buffer.alloc(1000)]),
    "too-large",
    "Archive with size 11 exceeded limit of 10 (bytes).",
  ],
  [
    "that ends early",
    () => {
      const stream = new Readable({ read() {} });
      stream.push("12345");
      setImmediate(() => stream.destroy());
      return stream;
    },
    "bad-request",
    "The upload ended early",
  ],
  [
    "whose connection is reset",
    () =>
      Readable.from(
        (async function* () {
          yield Buffer.from("12345");
          throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
        })(),
      ),
    "bad-request",
    "The upload ended early",
  ],
];
for (const [what, bytes, code, message] of brokenUploads) {
  test(`receive() leaves nothing of an upload ${what}`, async () => {
    using folder = temporaryFolder();
    const staging = new Staging(folder.path, 10);
    mkdirSync(staging.path);
    await expect(staging.receive("f", "1", bytes())).rejects.toMatchObject({ code, message });
    expect(readdirSync(staging.path, { recursive: true })).toEqual(["endpoints"].slice(1));
  });

  test(`receive() keeps an earlier upload when another fails ${what}`, async () => {
    using folder = temporaryFolder();
    const staging = new Staging(folder.path, 10);
    const path = await staging.receive("f", "1", Readable.from([Buffer.from("good")]));
    await expect(staging.receive("f", "1", bytes())).rejects.toMatchObject({ code });
    expect(readdirSync(path)).toEqual(["pickle_archive"]);
    expect(readFileSync(join(path, "pickle_archive"), "utf8")).toBe("good");
  });
}

const badPlaces: readonly [name: string, version: string][] = [
  ["..", "1"],
  ["../../x", "1"],
  ["a/b", "1"],
  ["", "1"],
  [".", "1"],
  ["a\0", "1"],
  ["x".repeat(256), "1"],
  ["f", ".."],
  ["f", "../../x"],
  ["f", "0"],
  ["f", "-1"],
  ["f", "1.0"],
  ["f", "01"],
  ["f", ""],
  ["f", "1\n"],
  ["f", "9".repeat(10)],
];
for (const [name, version] of badPlaces) {
  test(`receive() refuses the name ${JSON.stringify(name.slice(0, 10))} with the version ${JSON.stringify(version)}`, async () => {
    using folder = temporaryFolder();
    const upload = new Staging(folder.path, 10).receive(name, version, Readable.from([Buffer.from("x")]));
    await expect(upload).rejects.toMatchObject({ code: "bad-request" });
    expect(readdirSync(folder.path)).toEqual([]);
  });
}

test("checkSize() refuses sizes over the limit", () => {
  const staging = new Staging("/nowhere", 10);
  staging.checkSize(10);
  expect(() => staging.checkSize(11)).toThrow("Archive with size 11 exceeded limit of 10 (bytes).");
});

test("an upload is moved when it is deployed, and once", async () => {
  await using one = openRegistry();
  const path = await one.registry.receiveUpload("f", "1", Readable.from([Buffer.from("code")]), 0);
  const { ino } = statSync(join(path, "pickle_archive"));
  await one.registry.add({ name: "f", type: "model", src_path: path });
  await one.registry.settled(5000);
  const place = join(one.folder, "query_objects", "f", "1");
  expect(statSync(join(place, "pickle_archive")).ino).toBe(ino);
  expect(readdirSync(place)).toEqual(["pickle_archive"]);
  expect(existsSync(path)).toBe(false);
  expect(one.serves("f")).toBe("code");
  // A file that another client puts there by hand is copied again.
  mkdirSync(path);
  writeFileSync(join(path, "pickle_archive"), "by hand");
  await one.registry.update("f", { src_path: path });
  await one.registry.settled(5000);
  expect([one.serves("f"), existsSync(path)]).toEqual(["by hand", true]);
});

test("an upload that is refused when it is deployed can be deployed again", async () => {
  await using one = openRegistry();
  const path = await one.registry.receiveUpload("f", "1", Readable.from([Buffer.from("code")]), 0);
  await expect(one.registry.add({ name: "f", type: "x", src_path: path })).rejects.toThrow();
  await one.registry.add({ name: "f", type: "model", src_path: path });
  await one.registry.settled(5000);
  expect(one.serves("f")).toBe("code");
});

test("an upload during a deployment from the same folder is stored completely", async () => {
  await using one = openRegistry();
  const path = await one.registry.receiveUpload("f", "1", Readable.from([Buffer.from("first")]), 0);
  const bytes = new Readable({ read() {} });
  bytes.push("sec");
  const upload = one.registry.receiveUpload("f", "1", bytes, 0);
  while (readdirSync(join(one.folder, "staging")).length < 2)
    await new Promise((resolve) => setImmediate(resolve));
  await one.registry.add({ name: "f", type: "model", src_path: path });
  bytes.push("ond");
  bytes.push(null);
  await upload;
  await one.registry.settled(5000);
  expect(readdirSync(join(one.folder, "query_objects", "f", "1"))).toEqual(["pickle_archive"]);
  expect(one.serves("f")).toBe("first");
  await one.registry.update("f", { src_path: path, ...newVersion });
  await one.registry.settled(5000);
  expect(one.serves("f")).toBe("second");
});

test("a start removes temporary files of killed servers, and none that are in use", async () => {
  await using one = openRegistry();
  await one.add("f", "code");
  const path = await one.registry.receiveUpload("f", "9", Readable.from([Buffer.from("upload")]), 0);
  const folders = [one.folder, join(one.folder, "query_objects", "f"), join(one.folder, "staging"), path];
  const longAgo = new Date(Date.now() - 2 * 60 * 60 * 1000);
  for (const folder of folders) {
    writeFileSync(join(folder, ".tabpy-tmp-old"), "");
    utimesSync(join(folder, ".tabpy-tmp-old"), longAgo, longAgo);
    writeFileSync(join(folder, ".tabpy-tmp-new"), "");
  }
  await using again = openRegistry({ folder: one.folder });
  await again.registry.start();
  await again.registry.loadedAtStart;
  for (const folder of folders) {
    for (let turn = 0; existsSync(join(folder, ".tabpy-tmp-old")) && turn < 10_000; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(readdirSync(folder).filter((name) => name.startsWith(".tabpy"))).toEqual([".tabpy-tmp-new"]);
  }
  expect(readFileSync(join(path, "pickle_archive"), "utf8")).toBe("upload");
});
