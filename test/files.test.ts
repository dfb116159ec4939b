// Durable writes and the lock between processes: real files, real processes.

import { expect, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withLock } from "../src/file-lock.ts";
import { writeDurably } from "../src/files.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const files = join(import.meta.dir, "../src/files.ts");
const fileLock = join(import.meta.dir, "../src/file-lock.ts");

/** A process that adds one to the number in `file`, `times` times, each under its lock. */
function spawnCounter(file: string, times: number) {
  const program = `
    const { withLock } = await import(${JSON.stringify(fileLock)});
    const { writeDurably } = await import(${JSON.stringify(files)});
    const { readFileSync } = await import("node:fs");
    for (let at = 0; at < ${times}; at++)
      await withLock(${JSON.stringify(file)}, async () =>
        writeDurably(${JSON.stringify(file)}, String(Number(readFileSync(${JSON.stringify(file)}, "utf8")) + 1)));`;
  return Bun.spawn([process.execPath, "-e", program], {
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
}

test("writeDurably() replaces a file with its mode, and leaves nothing beside it", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "x");
  await writeDurably(file, "one", 0o600);
  await writeDurably(file, "two", 0o600);
  expect(readFileSync(file, "utf8")).toBe("two");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder.path)).toEqual(["x"]);
});

test("writeDurably() leaves the old file and nothing else when it can't write", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "x");
  await writeDurably(join(folder.path, "y"), "");
  await expect(writeDurably(join(file, "below"), "")).rejects.toThrow("ENOENT");
  expect(readdirSync(folder.path)).toEqual(["y"]);
});

test("withLock() lets processes write one after the other: no change is lost", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "count");
  writeFileSync(file, "0");
  const exits = await Promise.all([1, 2, 3].map(() => spawnCounter(file, 40).exited));
  expect(exits).toEqual([0, 0, 0]);
  expect(readFileSync(file, "utf8")).toBe("120");
  expect(readdirSync(folder.path)).toEqual(["count"]);
});

test("withLock() runs calls of this process one after the other, even when one throws", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "x");
  const order: string[] = [];
  const first = withLock(file, async () => {
    order.push("first begins");
    await new Promise((resolve) => setTimeout(resolve, 30));
    order.push("first ends");
    throw new Error("no");
  });
  while (order.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const second = withLock(file, async () => order.push("second"));
  await expect(first).rejects.toThrow("no");
  await second;
  expect(order).toEqual(["first begins", "first ends", "second"]);
});

test("withLock() lets only one process continue when many find a stale lock", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "x");
  let text = "";
  await withLock(file, async () => {
    text = readFileSync(`${file}.lock`, "utf8");
  });
  let inside = 0;
  let most = 0;
  for (let round = 0; round < 60; round++) {
    writeFileSync(`${file}.lock`, text.replace(/ [^ ]+$/, ` another${round}`));
    const change = async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    };
    await Promise.all(Array.from({ length: 25 }, () => withLock(file, change)));
  }
  expect(most).toBe(1);
  expect(readdirSync(folder.path)).toEqual([]);
}, 20_000);

test("withLock() takes over the lock of a process that was killed", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "x");
  const holder = Bun.spawn(
    [
      process.execPath,
      "-e",
      `const { withLock } = await import(${JSON.stringify(fileLock)});
       await withLock(${JSON.stringify(file)}, async () => { console.log("held"); await new Promise(() => setInterval(() => {}, 1000)); });`,
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  );
  for await (const chunk of holder.stdout) if (Buffer.from(chunk).includes("held")) break;
  holder.kill("SIGKILL");
  await holder.exited;
  expect(readdirSync(folder.path)).toEqual(["x.lock"]);
  expect(await withLock(file, async () => "mine")).toBe("mine");
  expect(readdirSync(folder.path)).toEqual([]);
});

test("withLock() takes over a lock of an earlier process with this process's id", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "x");
  let text = "";
  await withLock(file, async () => {
    text = readFileSync(`${file}.lock`, "utf8");
  });
  writeFileSync(`${file}.lock`, text.replace(/ [^ ]+$/, " another"));
  expect(await withLock(file, async () => "mine")).toBe("mine");
});

test("withLock() takes over a lock whose owner it can't check only when the lock is old", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "x");
  writeFileSync(`${file}.lock`, "elsewhere 1 x");
  const entered = withLock(file, async () => "mine");
  const early = new Promise((resolve) => setTimeout(() => resolve("waits"), 200));
  expect(await Promise.race([entered, early])).toBe("waits");
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(`${file}.lock`, longAgo, longAgo);
  expect(await entered).toBe("mine");
});

test("syncFile() accepts a read-only file", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "x");
  writeFileSync(file, "", { mode: 0o444 });
  chmodSync(folder.path, 0o755);
  // As a user other than root, who may do everything.
  const program = `
    const { syncFile } = await import(${JSON.stringify(files)});
    if (process.getuid() === 0) process.setuid(65534);
    await syncFile(${JSON.stringify(file)});`;
  const child = Bun.spawn([process.execPath, "-e", program], {
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  expect(await child.exited).toBe(0);
});
