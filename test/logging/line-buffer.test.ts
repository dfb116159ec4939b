// LineBuffer with descriptors of real files, pipes and terminals.

import { afterAll, expect, test } from "bun:test";
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { gunzip, gzipSync } from "node:zlib";
import { LineBuffer } from "../../src/logging/write/line-buffer.ts";
import { createStreamTarget } from "../../src/logging/write/stream.ts";
import { folderUntil } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const folder = folderUntil(afterAll);

function createBuffer(fd: number) {
  const losses: string[] = [];
  const buffer = new LineBuffer({
    target: createStreamTarget(fd, "the log"),
    lossLine: (text) => `LOSS ${text}`,
    onFault: (text) => losses.push(text),
  });
  return { buffer, losses, push: (line: string) => buffer.push(line, 0) };
}

/** A named pipe. Its writer blocks, as that of a shell's pipe does; its reader is read without waiting. */
function openPipe(name: string): { reader: number; writer: number } & Disposable {
  const path = join(folder, name);
  if (Bun.spawnSync(["mkfifo", path]).exitCode !== 0) throw new Error("mkfifo failed");
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  return {
    reader,
    writer,
    [Symbol.dispose]: () => {
      closeSync(writer);
      closeSync(reader);
    },
  };
}

/** Reads what is in the pipe now. */
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

/** Whether the pipe contains something; reads a byte of it. */
function isReadable(fd: number): boolean {
  try {
    return readSync(fd, Buffer.alloc(1)) === 1;
  } catch {
    return false;
  }
}

test("LineBuffer writes lines in order, each with its end", async () => {
  const path = join(folder, "log");
  const fd = openSync(path, "w");
  const { buffer, push } = createBuffer(fd);
  const lines = Array.from({ length: 5000 }, (_, at) => `line ${at} größe`);
  for (const line of lines.slice(0, 10)) push(line);
  await new Promise((resolve) => setImmediate(resolve));
  for (const line of lines.slice(10)) push(line);
  await buffer.stop();
  closeSync(fd);
  expect(readFileSync(path, "utf8")).toBe(`${lines.join("\n")}\n`);
});

test("LineBuffer writes lines that wait when write() is called", async () => {
  const path = join(folder, "unasked");
  const fd = openSync(path, "w");
  const { buffer, push } = createBuffer(fd);
  push("one line");
  buffer.write();
  await until("the line", () => readFileSync(path, "utf8") === "one line\n", 1000);
  await buffer.stop();
  closeSync(fd);
});

test("LineBuffer.stop() resolves at once when it is empty", async () => {
  const fd = openSync(join(folder, "empty"), "w");
  const { buffer } = createBuffer(fd);
  await buffer.stop();
  await buffer.stop();
  closeSync(fd);
  expect(readFileSync(join(folder, "empty"), "utf8")).toBe("");
});

test("LineBuffer doesn't wait for a stopped reader; it drops lines and reports how many", async () => {
  using pipe = openPipe("still");
  const { buffer, push, losses } = createBuffer(pipe.writer);
  const count = 40_000;
  const line = "x".repeat(999);
  // 40 MB into a pipe of 64 KiB: a write that waited would never return.
  for (let at = 0; at < count; at++) push(line);

  let text = "";
  await until("the loss in the pipe", () => {
    text += readPipe(pipe.reader);
    return text.includes("LOSS");
  });
  push("after");
  await buffer.stop();
  text += readPipe(pipe.reader);

  const lines = text.trimEnd().split("\n");
  const dropped = lines.flatMap((one) => /^LOSS (\d+) lines were lost here: its reader/.exec(one)?.[1] ?? []);
  const kept = lines.filter((one) => one === line).length;
  expect(kept + dropped.map(Number).reduce((sum, one) => sum + one, 0)).toBe(count);
  expect(kept).toBeGreaterThan(8000);
  expect(kept).toBeLessThan(count);
  expect(lines.at(-1)).toBe("after");
  expect(losses[0]).toBe("Cannot write the log the log: its reader is too slow, 1 lines are lost so far");
}, 30_000);

test("createStreamTarget() blocks no thread for a pipe that nobody reads", async () => {
  using one = openPipe("threads-1");
  using two = openPipe("threads-2");
  using three = openPipe("threads-3");
  const buffers = [one, two, three].map((pipe) => createBuffer(pipe.writer));
  for (const { push } of buffers) for (let at = 0; at < 1000; at++) push("x".repeat(999));
  for (const { reader } of [one, two, three])
    await until("the first bytes in a pipe", () => isReadable(reader));
  // There are only as many threads as cores; each would wait for one of the pipes.
  const unpacked = Promise.all(
    Array.from({ length: 4 }, () => {
      return new Promise<string>((resolve, reject) => {
        gunzip(gzipSync("packed"), (error, bytes) => (error ? reject(error) : resolve(String(bytes))));
      });
    }),
  );
  expect(await unpacked).toEqual(["packed", "packed", "packed", "packed"]);
  await Promise.all(buffers.map(({ buffer }) => buffer.stop()));
}, 20_000);

test("LineBuffer.stop() gives up on a stopped reader", async () => {
  using pipe = openPipe("stop");
  const { buffer, push } = createBuffer(pipe.writer);
  for (let at = 0; at < 1000; at++) push("x".repeat(999));
  await buffer.stop();
  expect(readPipe(pipe.reader).length).toBeGreaterThan(0);
});

test("LineBuffer reports a target that can't be written, and doesn't fail", async () => {
  const fd = openSync(join(folder, "read-only"), constants.O_RDONLY | constants.O_CREAT);
  const { buffer, push, losses } = createBuffer(fd);
  push("lost");
  buffer.write();
  await until("the loss", () => losses.length > 0);
  push("lost too");
  await buffer.stop();
  closeSync(fd);
  expect(losses[0]).toMatch(/^Cannot write the log the log: EBADF/);
  expect(readFileSync(join(folder, "read-only"), "utf8")).toBe("");
});

test("LineBuffer keeps complete lines in order for a failing target until they are written", async () => {
  const taken: Buffer[] = [];
  let isBroken = true;
  const faults: string[] = [];
  const buffer = new LineBuffer({
    target: {
      name: "target",
      // Accepts seven bytes at a time, and fails on every other write.
      write: async ({ bytes }, from) => {
        isBroken = !isBroken;
        if (isBroken) return { bytes: 0, lost: 0, fault: "broken" };
        taken.push(Buffer.from(bytes.subarray(from, from + 7)));
        return { bytes: Math.min(7, bytes.length - from), lost: 0, fault: "half" };
      },
      reopen: async () => false,
      close: async () => {},
    },
    lossLine: (text) => text,
    onFault: (text) => faults.push(text),
  });
  buffer.push("first line", 0);
  buffer.push("second", 0);
  buffer.write();
  await until("both lines", () => Buffer.concat(taken).toString() === "first line\nsecond\n");
  await buffer.stop();
  expect(faults).toEqual(["Cannot write the log target: half"]);
});

test("LineBuffer writes a partly written record again from its start when its target was reopened", async () => {
  const files: string[] = [""];
  const faults: string[] = [];
  let room = 14;
  const buffer = new LineBuffer({
    target: {
      name: "target",
      write: async ({ bytes }, from) => {
        const part = bytes.subarray(from, from + room);
        files[files.length - 1] += part.toString();
        room -= part.length;
        return { bytes: part.length, lost: 0, fault: from + part.length < bytes.length ? "full" : undefined };
      },
      reopen: async () => {
        files.push("");
        room = 1000;
        return true;
      },
      close: async () => {},
    },
    lossLine: (text) => text,
    onFault: (text) => faults.push(text),
  });
  buffer.push("first line", 0);
  buffer.push("second", 0);
  buffer.write();
  await until("the full target", () => faults.length > 0);
  buffer.reopen();
  await buffer.stop();
  expect(files).toEqual(["first line\nsec", "second\n"]);
});

test("LineBuffer writes a batch that was completed during a write, without another push", async () => {
  const taken: string[] = [];
  let release = () => {};
  const buffer = new LineBuffer({
    target: {
      name: "target",
      write: async ({ bytes }, from) => {
        if (taken.length === 0) await new Promise<void>((resolve) => (release = resolve));
        taken.push(bytes.subarray(from).toString());
        return { bytes: bytes.length - from, lost: 0, fault: undefined };
      },
      reopen: async () => false,
      close: async () => {},
    },
    lossLine: (text) => text,
    onFault: () => {},
  });
  buffer.push("first", 0);
  buffer.write();
  const long = "x".repeat(70_000); // a batch of its own
  buffer.push(long, 0);
  release();
  await until("both lines", () => taken.join("") === `first\n${long}\n`, 2000);
  await buffer.stop();
});
