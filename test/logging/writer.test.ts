// LogWriter on real files and pipes.

import { afterAll, expect, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogWriter } from "../../src/logging/writer.ts";

const folder = mkdtempSync(join(tmpdir(), "writer-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A pipe with a name; both ends don't block. */
function openPipe(name: string): { reader: number; writer: number } & Disposable {
  const path = join(folder, name);
  if (Bun.spawnSync(["mkfifo", path]).exitCode !== 0) throw new Error("mkfifo failed");
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  return {
    reader,
    writer,
    [Symbol.dispose]: () => {
      closeSync(writer);
      closeSync(reader);
    },
  };
}

/** What is in the pipe now. */
function readPipe(fd: number): string {
  const parts: Buffer[] = [];
  const part = Buffer.alloc(1024 * 1024);
  for (;;) {
    let count: number;
    try {
      count = readSync(fd, part);
    } catch {
      break; // EAGAIN: empty
    }
    if (count === 0) break;
    parts.push(Buffer.from(part.subarray(0, count)));
  }
  return Buffer.concat(parts).toString("utf8");
}

test("LogWriter writes lines in order, each with its end", async () => {
  const path = join(folder, "log");
  const fd = openSync(path, "w");
  const writer = new LogWriter(fd);
  const lines = Array.from({ length: 5000 }, (_, at) => `line ${at} größe`);
  for (const line of lines.slice(0, 10)) writer.write(line);
  await new Promise((resolve) => setImmediate(resolve));
  for (const line of lines.slice(10)) writer.write(line);
  await writer.stop();
  closeSync(fd);
  expect(readFileSync(path, "utf8")).toBe(`${lines.join("\n")}\n`);
});

test("LogWriter.stop() resolves at once when nothing waits", async () => {
  const fd = openSync(join(folder, "empty"), "w");
  const writer = new LogWriter(fd);
  await writer.stop();
  await writer.stop();
  closeSync(fd);
  expect(readFileSync(join(folder, "empty"), "utf8")).toBe("");
});

test("LogWriter doesn't wait for a reader that stands still; it drops lines and says how many", async () => {
  using pipe = openPipe("still");
  const writer = new LogWriter(pipe.writer);
  const count = 40_000;
  const line = "x".repeat(999);
  // 40 MB into a pipe of 64 KiB: a write that waited would never come back.
  for (let at = 0; at < count; at++) writer.write(line);
  // Timers and other work go on beside it.
  await new Promise((resolve) => setTimeout(resolve, 1));

  let text = "";
  const reading = setInterval(() => {
    text += readPipe(pipe.reader);
  }, 1);
  try {
    while (!/lines dropped/.test(text.slice(-2000))) await new Promise((resolve) => setTimeout(resolve, 5));
    writer.write("after");
    await writer.stop();
  } finally {
    clearInterval(reading);
  }
  text += readPipe(pipe.reader);

  const lines = text.trimEnd().split("\n");
  const dropped = lines.flatMap((one) => /^\.\.\. (\d+) log lines dropped/.exec(one)?.[1] ?? []);
  const kept = lines.filter((one) => one === line).length;
  expect(kept + dropped.map(Number).reduce((sum, one) => sum + one, 0)).toBe(count);
  expect(kept).toBeGreaterThan(8000);
  expect(kept).toBeLessThan(count);
  expect(lines.at(-1)).toBe("after");
}, 30_000);

test("LogWriter.stop() gives up on a reader that stands still", async () => {
  using pipe = openPipe("stop");
  const writer = new LogWriter(pipe.writer);
  for (let at = 0; at < 1000; at++) writer.write("x".repeat(999));
  await writer.stop();
  expect(readPipe(pipe.reader).length).toBeGreaterThan(0);
});

test("LogWriter goes on without a place to write to", async () => {
  const fd = openSync(join(folder, "read-only"), constants.O_RDONLY | constants.O_CREAT);
  const writer = new LogWriter(fd);
  writer.write("lost");
  await new Promise((resolve) => setTimeout(resolve, 1));
  writer.write("lost too");
  await writer.stop();
  closeSync(fd);
  expect(readFileSync(join(folder, "read-only"), "utf8")).toBe("");
});
