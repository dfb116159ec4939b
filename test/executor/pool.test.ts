import { afterAll, beforeEach, expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { TabPyError } from "../../src/errors.ts";
import type { Reply } from "../../src/executor/executor.ts";
import { Pool } from "../../src/executor/pool.ts";
import type { PoolOptions } from "../../src/executor/pool-options.ts";
import type { Command } from "../../src/executor/process/interpreter.ts";
import { spawnWorker } from "../../src/executor/process/spawn.ts";
import { MemoryAccount } from "../../src/memory-account.ts";
import { createLogger } from "../support/logger.ts";
import { testPython } from "../support/interpreters.ts";
import { folderUntil } from "../support/temporary-folder.ts";

const folder = folderUntil(afterAll);
const python: Command = { file: testPython().file, args: [] };
let lines: string[] = [];
beforeEach(() => {
  lines = [];
});

/** A pool of real workers that ends with the test. */
async function startPool(options: Partial<PoolOptions> = {}): Promise<Pool & AsyncDisposable> {
  const pool = new Pool({
    commands: [python],
    spawn: (command) => spawnWorker(command, process.env),
    url: "http://localhost:9004",
    reloadModules: true,
    workerModels: 8,
    functions: { revision: () => 1, resolve: () => ({ kind: "unknown" }) },
    size: 2,
    workersPerUser: 1024,
    queueSize: 10_000,
    queueTimeoutMs: 60_000,
    workerMaxRequests: 0,
    workerMemoryBytes: 0,
    memory: new MemoryAccount(2 ** 31),
    log: createLogger((line) => lines.push(line), "INFO", "pool.ts"),
    ...options,
  });
  await pool.start();
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.stop() });
}

interface CallOptions {
  callId?: string;
  args?: unknown[];
  timeoutMs?: number;
  signal?: AbortSignal;
  client?: string;
}

function run(pool: Pool, script: string, options: CallOptions = {}): Promise<Reply> {
  const data = Object.fromEntries((options.args ?? []).map((value, at) => [`_arg${at + 1}`, value]));
  return pool.execute({
    ...(options.client === undefined ? undefined : { client: options.client }),
    callId: options.callId ?? "the-call",
    what: { kind: "evaluate", reportsFunction: true },
    body: [Buffer.from(JSON.stringify({ script, data }))],
    timeoutMs: options.timeoutMs ?? 30_000,
    signal: options.signal ?? new AbortController().signal,
  });
}

async function value(reply: Promise<Reply>): Promise<unknown> {
  const found = await reply;
  if (found.kind !== "result") throw new Error(`expected a result, got ${JSON.stringify(found)}`);
  return JSON.parse(found.body.toString());
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Wait until so many workers are ready. */
async function warm(pool: Pool, size: number): Promise<void> {
  const script = "import os, time\ntime.sleep(0.02)\nreturn os.getpid()";
  const pids = new Set<unknown>();
  while (pids.size < size) {
    const calls = Array.from({ length: size }, (_, at) => run(pool, script, { client: `warm ${at}` }));
    for (const pid of await Promise.all(calls.map(value))) pids.add(pid);
  }
}

test("Pool runs each call once, short or long, while workers end and are replaced", async () => {
  await using pool = await startPool();
  const log = join(folder, "once.log");
  writeFileSync(log, "");
  const script = `
import os, time
number, pause, end = _arg1
with open(${JSON.stringify(log)}, 'ab', buffering=0) as file: file.write(b'%d\\n' % number)
time.sleep(pause / 1000)
if end == 1: os._exit(1)
if end == 2:
    import subprocess
    subprocess.Popen(['sleep', '100'])
return number`;
  const total = 3000;
  let next = 0;
  let lost = 0;
  const client = async () => {
    while (next < total) {
      const number = next++;
      const pause = number % 50 === 7 ? 20 : number % 17 === 3 ? 3 : 0;
      const end = number % 400 === 11 ? 1 : number % 400 === 200 ? 2 : 0;
      const reply = await run(pool, script, { args: [[number, pause, end]] });
      if (reply.kind === "result") expect(reply.body.toString()).toBe(String(number));
      else if (end === 1) lost++;
      else throw new Error(`call ${number} got ${JSON.stringify(reply)}`);
    }
  };
  await Promise.all(Array.from({ length: 24 }, client));
  const ran = readFileSync(log, "utf8")
    .trim()
    .split("\n")
    .map(Number)
    .sort((a, b) => a - b);
  expect(ran).toEqual(Array.from({ length: total }, (_, at) => at));
  expect(lost).toBe(8);
}, 60_000);

test("Pool answers a short call while the other worker is busy for long", async () => {
  await using pool = await startPool();
  await Promise.all(Array.from({ length: 50 }, () => value(run(pool, "return 1"))));
  const long = new AbortController();
  const slow = run(pool, "import time\ntime.sleep(1000)", { signal: long.signal });
  const answers = Array.from({ length: 200 }, (_, at) => value(run(pool, "return _arg1", { args: [at] })));
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 200 }, (_, at) => at));
  long.abort();
  expect((await slow).kind).toBe("cancelled");
});

test("Pool answers a call at its time limit and continues with a new worker", async () => {
  await using pool = await startPool({ size: 1 });
  expect((await run(pool, "while True: pass", { timeoutMs: 300 })).kind).toBe("timed-out");
  expect(await value(run(pool, "return 2"))).toBe(2);
});

test("Pool gives a call its whole time limit when short ones ran before it", async () => {
  await using pool = await startPool({ size: 1 });
  for (let at = 0; at < 5; at++) await value(run(pool, "import time\ntime.sleep(0.1)", { timeoutMs: 400 }));
  expect(await value(run(pool, "import time\ntime.sleep(0.25)\nreturn 3", { timeoutMs: 400 }))).toBe(3);
});

test("Pool reports how a worker was lost", async () => {
  await using pool = await startPool();
  expect(await run(pool, "import os\nos._exit(3)")).toEqual({ kind: "lost", reason: "exit code 3" });
  expect(await run(pool, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")).toEqual({
    kind: "lost",
    reason: "signal SIGSEGV",
  });
});

test("Pool refuses calls beyond its queue with Retry-After", async () => {
  await using pool = await startPool({ size: 1, queueSize: 1 });
  await value(run(pool, "return 1"));
  const stop = new AbortController();
  const running = run(pool, "import time\ntime.sleep(1000)", { signal: stop.signal });
  const waiting = run(pool, "return 1");
  const refused = (await run(pool, "return 1").catch((error: unknown) => error)) as TabPyError;
  expect(refused.code).toBe("unavailable");
  expect(refused.headers["Retry-After"]).toBe("1");
  stop.abort();
  await running;
  expect(await value(waiting)).toBe(1);
});

test("Pool refuses a call that waited too long", async () => {
  await using pool = await startPool({ size: 1, queueTimeoutMs: 100 });
  await pool.interpreterFound; // the start of the worker may take longer
  const stop = new AbortController();
  const running = run(pool, "import time\ntime.sleep(1000)", { signal: stop.signal });
  const refused = (await run(pool, "return 1").catch((error: unknown) => error)) as TabPyError;
  expect(refused.info).toBe("no worker was free within 0.1 s");
  stop.abort();
  await running;
});

/** A script that writes its process id to a file, one for each number, and waits for a second file. */
const waitForFile = (name: string) => `
import os, time
path = ${JSON.stringify(join(folder, name))} + str(_arg1)
with open(path, 'w') as file: file.write(str(os.getpid()))
while not os.path.exists(path + '-end'): time.sleep(0.01)
return _arg1`;
const isRunning = (name: string, at: number) => existsSync(join(folder, name + at));
const endCall = (name: string, at: number) => writeFileSync(join(folder, `${name}${at}-end`), "");

test("Pool lets the calls of one client hold workersPerUser workers, also when no other client calls", async () => {
  await using pool = await startPool({ size: 3, workersPerUser: 2 });
  await warm(pool, 3);
  const calls = [0, 1, 2, 3].map((at) => run(pool, waitForFile("held"), { args: [at], client: "a" }));
  await until(() => isRunning("held", 0) && isRunning("held", 1));
  expect(await value(run(pool, "return 'other'", { client: "b" }))).toBe("other");
  expect([isRunning("held", 2), isRunning("held", 3)]).toEqual([false, false]);
  endCall("held", 0);
  await until(() => isRunning("held", 2));
  expect(await value(run(pool, "return 'other'", { client: "b" }))).toBe("other");
  expect(isRunning("held", 3)).toBe(false);
  for (const at of [1, 2, 3]) endCall("held", at);
  expect(await Promise.all(calls.map(value))).toEqual([0, 1, 2, 3]);
});

test("Pool gives an idle worker to a waiting call when another worker of its client is lost", async () => {
  await using pool = await startPool({ size: 3, workersPerUser: 2 });
  await warm(pool, 3);
  const calls = [0, 1, 2].map((at) => run(pool, waitForFile("lost"), { args: [at], client: "a" }));
  await until(() => isRunning("lost", 0) && isRunning("lost", 1));
  process.kill(Number(readFileSync(join(folder, "lost0"), "utf8")), "SIGKILL");
  await until(() => isRunning("lost", 2));
  for (const at of [1, 2]) endCall("lost", at);
  expect((await Promise.all(calls)).map(({ kind }) => kind)).toEqual(["lost", "result", "result"]);
});

test("Pool runs short calls of one client in no more than workersPerUser workers at a time", async () => {
  await using pool = await startPool({ size: 3, workersPerUser: 1 });
  await warm(pool, 3);
  const lock = JSON.stringify(join(folder, "lock"));
  const script = `import os\nos.close(os.open(${lock}, os.O_CREAT | os.O_EXCL))\nos.unlink(${lock})\nreturn _arg1`;
  const numbers = Array.from({ length: 300 }, (_, at) => at);
  const calls = numbers.map((at) => value(run(pool, script, { args: [at], client: "a" })));
  expect(await Promise.all(calls)).toEqual(numbers);
});

test("Pool forgets a waiting call whose client has gone", async () => {
  await using pool = await startPool({ size: 1 });
  await value(run(pool, "return 1"));
  const stop = new AbortController();
  const running = run(pool, "import time\ntime.sleep(1000)", { signal: stop.signal });
  const gone = new AbortController();
  const mark = join(folder, "ran");
  const waiting = run(pool, `open(${JSON.stringify(mark)}, 'w').close()`, { signal: gone.signal });
  gone.abort();
  expect((await waiting).kind).toBe("cancelled");
  stop.abort();
  await running;
  expect(await value(run(pool, `import os\nreturn os.path.exists(${JSON.stringify(mark)})`))).toBe(false);
});

test("Pool replaces a worker after workerMaxRequests calls", async () => {
  await using pool = await startPool({ size: 1, workerMaxRequests: 3 });
  const pids: unknown[] = [];
  for (let at = 0; at < 7; at++) pids.push(await value(run(pool, "import os\nreturn os.getpid()")));
  expect(new Set(pids.slice(0, 3)).size).toBe(1);
  expect(new Set(pids).size).toBe(3);
});

test("Pool logs what a script prints with the call's id", async () => {
  await using pool = await startPool();
  await value(run(pool, "print('from python')\nimport os\nos.system('echo from shell')"));
  await until(() => lines.filter((line) => line.includes("<<call ID: the-call>>")).length >= 2);
  expect(lines.some((line) => line.includes("from python, <<call ID: the-call>>"))).toBe(true);
  expect(lines.some((line) => line.includes("from shell, <<call ID: the-call>>"))).toBe(true);
});

test("Pool logs the call of each line, however many calls were sent to a worker together", async () => {
  await using pool = await startPool({ size: 1 });
  for (let at = 0; at < 20; at++) await value(run(pool, "print('warm')"));
  const numbers = Array.from({ length: 400 }, (_, at) => at);
  const script = "print('from', _arg1, 'only')";
  await Promise.all(numbers.map((at) => value(run(pool, script, { args: [at], callId: `call-${at}` }))));
  const printed = () => lines.filter((line) => line.includes(" only"));
  await until(() => printed().length >= numbers.length);
  for (const at of numbers)
    expect(printed().find((line) => line.includes(`from ${at} only`))).toContain(`<<call ID: call-${at}>>`);
});

test("Pool tries again with pauses when Python doesn't start, and recovers", async () => {
  const wrapper = join(folder, "python");
  const broken = join(folder, "broken");
  writeFileSync(broken, "");
  const shell = `#!/bin/sh\n[ -e '${broken}' ] && { echo no such luck >&2; exit 1; }\nexec '${python.file}' "$@"\n`;
  writeFileSync(wrapper, shell, { mode: 0o755 });
  await using pool = await startPool({ commands: [{ file: wrapper, args: [] }] });
  await until(() => lines.some((line) => line.includes("Cannot start a worker")));
  expect(lines.join("\n")).toContain("no such luck");
  const refused = (await run(pool, "return 1").catch((error: unknown) => error)) as TabPyError;
  expect(refused.code).toBe("unavailable");
  expect(Number(refused.headers["Retry-After"])).toBeGreaterThan(0);
  rmSync(broken);
  await pool.interpreterFound;
  expect(await value(run(pool, "return 1"))).toBe(1);
});

const unstartable: Record<string, [cause: string, make: (path: string) => void]> = {
  "a half-written program": ["ENOEXEC", (path) => writeFileSync(path, "\x7fELF", { mode: 0o755 })],
  "a loop of links": ["ELOOP", (path) => symlinkSync(path, path)],
  "a missing program": ["ENOENT", () => {}],
};
for (const [what, [cause, make]] of Object.entries(unstartable)) {
  test(`Pool refuses calls and tries again with pauses while Python is ${what}`, async () => {
    const file = join(folder, cause);
    make(file);
    await using pool = await startPool({ commands: [{ file, args: [] }] });
    await until(() => lines.some((line) => line.includes("next try in 0.5 s")));
    expect(lines.filter((line) => line.includes("Cannot start a worker"))).toEqual([
      expect.stringMatching(new RegExp(`${cause}: .*; next try in 0.25 s`)),
      expect.stringMatching(new RegExp(`${cause}: .*; next try in 0.5 s`)),
    ]);
    const refused = (await run(pool, "return 1").catch((error: unknown) => error)) as TabPyError;
    expect(refused.code).toBe("unavailable");
    writeFileSync(`${file}-sound`, `#!/bin/sh\nexec '${python.file}' "$@"\n`, { mode: 0o755 });
    renameSync(`${file}-sound`, file);
    await pool.interpreterFound;
    expect(await value(run(pool, "return 1"))).toBe(1);
  });
}

test("Pool pauses while no file can be opened, and recovers", async () => {
  await using pool = await startPool();
  const pid = Number(await value(run(pool, "import os\nreturn os.getpid()")));
  const files: number[] = [];
  try {
    for (;;) files.push(openSync("/dev/null", "r"));
  } catch {}
  try {
    process.kill(pid, "SIGKILL");
    await until(() => lines.some((line) => line.includes("next try in")));
    expect(lines.filter((line) => line.includes("EMFILE")).length).toBeLessThan(5);
  } finally {
    for (const file of files) closeSync(file);
  }
  const pids = new Set<unknown>();
  const pause = "import os, time\ntime.sleep(0.05)\nreturn os.getpid()";
  while (pids.size < 2 || pids.has(pid))
    for (const found of await Promise.all([value(run(pool, pause)), value(run(pool, pause))]))
      pids.add(found);
});

test("Pool does not pause for a worker that was killed while it started", async () => {
  const wrapper = join(folder, "killed-once");
  const once = join(folder, "once");
  const shell = `#!/bin/sh\n[ -e '${once}' ] && { rm '${once}'; kill -9 $$; }\nexec '${python.file}' "$@"\n`;
  writeFileSync(wrapper, shell, { mode: 0o755 });
  await using pool = await startPool({ size: 1, commands: [{ file: wrapper, args: [] }] });
  await value(run(pool, "return 1"));
  writeFileSync(once, "");
  await run(pool, "import os\nos._exit(1)");
  expect(await value(run(pool, "return 1"))).toBe(1);
  const failures = lines.filter((line) => line.includes("Cannot start a worker"));
  expect(failures).toEqual([expect.stringContaining("signal SIGKILL; it is tried again at once")]);
});

test("Pool names the interpreter that it can't use", async () => {
  const old = join(folder, "old");
  const hello = JSON.stringify({
    id: 0,
    kind: "hello",
    version: [3, 6, 1],
    implementation: "cpython",
    executable: "/old",
  });
  const script = `#!${python.file}\nimport os, struct\nhead = ${JSON.stringify(hello)}.encode()\nos.write(1, struct.pack('<II', len(head), 0) + head)\nos.read(0, 1)\n`;
  writeFileSync(old, script, { mode: 0o755 });
  await using pool = await startPool({ commands: [{ file: old, args: [] }] });
  const error = (await pool.interpreterFound.catch((reason: unknown) => reason)) as TabPyError;
  expect(error.code).toBe("config");
  expect(error.message).toContain(
    `${old} is Python 3.6.1 (/old); expected CPython 3.9 or newer, set TABPY_PYTHON`,
  );
});

test("a quick script of characters that need two JSON escapes is answered each time", async () => {
  await using pool = await startPool({ size: 1 });
  const script = `x = "${"\u{1f642}".repeat(8000)}"\nreturn len(x)`;
  for (let at = 0; at < 4; at++) expect(await value(run(pool, script))).toBe(8000);
  expect(lines.filter((line) => line.includes("is lost"))).toEqual([]);
});

/** Python that writes `bytes`, an expression, to every descriptor that may be the channel. */
const writeAll = (bytes: string) => `
import os, socket, stat, struct, time
def frame(head, body=b""): return struct.pack("<II", len(head), len(body)) + head + body
for fd in range(3, 1024):
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode) or stat.S_ISSOCK(os.fstat(fd).st_mode): os.write(fd, ${bytes})
    except OSError: pass
`;
/** Python that takes the writer of the channel out of the frames of the worker program. */
const takeWriter = `
import os, sys, struct, time
at = sys._getframe()
while "self" not in at.f_locals or not hasattr(at.f_locals["self"], "_channel"): at = at.f_back
worker = at.f_locals["self"]
writer, number = worker._channel._writer, worker._number
def raw(data):
    for fd in range(640, 1024):
        try: os.write(fd, data)
        except OSError: pass
`;
const hostile: Record<string, [script: string, outcome: string]> = {
  "half of a frame's lengths": [`${writeAll('b"\\x40"')}return 1`, "not a frame"],
  "the lengths of a frame": [`${writeAll('struct.pack("<II", 5000, 5000)')}return 1`, "not a frame"],
  "a frame without its last byte": [`${writeAll('frame(b"x" * 200)[:-1]')}time.sleep(1000)`, "lacks the key"],
  "a reply to its own call": [
    `${writeAll('frame(b\'{"id":1,"kind":"result","took":1}\', b"2")')}time.sleep(1000)`,
    "lacks the key",
  ],
  "a broken body": [
    `${takeWriter}writer.write_reply(number, b"raised", b"x{", 0, {})\ntime.sleep(1000)`,
    "not a frame",
  ],
  "a reply to another call": [
    `${takeWriter}writer.write_reply(number + 1, b"result", b"2", 0, {})\ntime.sleep(1000)`,
    'a message "result" of call 2 on its channel, out of turn',
  ],
  "`ready` again": [
    `${takeWriter}writer.write({"id": 0, "kind": "ready", "pid": 1, "clock": 1})\ntime.sleep(1000)`,
    'a message "ready" of call 0 on its channel, out of turn',
  ],
  "a message without a known kind": [
    `${takeWriter}writer.write({"id": 0, "kind": "other"})\ntime.sleep(1000)`,
    'an unknown message "other"',
  ],
  "a flood of questions": [
    `${takeWriter}
while True: writer.write({"id": number, "kind": "resolve"}, b"name")`,
    "a question before the last one was answered on its channel",
  ],
  "questions whose answers it doesn't read": [
    `${takeWriter}
while True:
    writer.write({"id": number, "kind": "resolve"}, b"name")
    time.sleep(0.0001)`,
    "a question before the last one was answered on its channel",
  ],
};
for (const [what, [script, reason]] of Object.entries(hostile)) {
  test(`a script that writes ${what} to the channel loses its own call and its worker only`, async () => {
    await using pool = await startPool({ size: 1 });
    await pool.interpreterFound;
    const own = run(pool, script, { timeoutMs: 60_000 });
    const next = run(pool, "return 'next'");
    expect(await own).toEqual({ kind: "lost", reason: expect.stringContaining(reason) });
    expect(await value(next)).toBe("next");
  });
}

const replied: Record<string, [rest: string, reason: string]> = {
  "replies twice": ["", "out of turn"],
  "replies, and begins another frame": [
    "raw(struct.pack('<II', 500, 500) + b'{')\ntime.sleep(1000)",
    "a part of a message",
  ],
};
for (const [what, [rest, reason]] of Object.entries(replied)) {
  test(`a script that ${what} gets the first reply, and the next caller another worker`, async () => {
    await using pool = await startPool({ size: 1 });
    const script = `${takeWriter}writer.write_reply(number, b"result", b"2", 900000, {})\n${rest}`;
    expect(await value(run(pool, script))).toBe(2);
    await until(() => lines.some((line) => line.includes("is lost and replaced")));
    expect(lines.find((line) => line.includes("is lost and replaced"))).toContain(reason);
    expect(await value(run(pool, "return 3"))).toBe(3);
  });
}

test("a call sent behind one that begins a frame and sleeps is given to another worker", async () => {
  await using pool = await startPool({ size: 1 });
  for (let at = 0; at < 20; at++) await value(run(pool, "return 1"));
  const stop = new AbortController();
  const own = run(pool, `${writeAll('b"\\x40"')}time.sleep(1000)`, { signal: stop.signal });
  const behind = run(pool, "return 'behind'");
  stop.abort();
  expect((await own).kind).toBe("cancelled");
  expect(await value(behind)).toBe("behind");
});

test("questions of a script are answered, however many it asks", async () => {
  await using pool = await startPool({ size: 1 });
  const script = "return len([tabpy.query('nothing', 1)['message'] for _ in range(1500)])";
  expect(await value(run(pool, script))).toBe(1500);
  expect(await value(run(pool, "return tabpy.query('n' * 100000, 1)['message']"))).toBe("UnknownURI");
});

test("Pool limits the output of each call, also when all have the same id", async () => {
  await using pool = await startPool({ size: 1 });
  const script = `import os\nfor at in range(8): os.write(2, b"${"x".repeat(99)}\\n" * 1000)`;
  for (let at = 0; at < 3; at++) await value(run(pool, script));
  await until(() => lines.filter((line) => line.includes("xxx")).length >= 3 * 8000);
  expect(lines.filter((line) => line.includes("not logged"))).toEqual([]);
});
