// Loads beside the pool: real workers, archives of plain pickle.

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../support/logger.ts";
import { Loader } from "../../src/executor/trial-load.ts";
import type { Model } from "../../src/executor/channel/messages.ts";
import { Pool } from "../../src/executor/pool.ts";
import { spawnWorker } from "../../src/executor/process/spawn.ts";
import type { Worker } from "../../src/executor/worker.ts";
import { testPython } from "../support/interpreters.ts";

const folder = mkdtempSync(join(tmpdir(), "tabpy-loader-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface TestLoader extends AsyncDisposable {
  readonly loader: Loader;
  /** The workers that were started for loads. */
  readonly workers: readonly Worker[];
}

async function startLoader(timeoutMs = 30_000): Promise<TestLoader> {
  const pool = new Pool({
    commands: [{ file: testPython().file, args: [] }],
    spawn: (command) => spawnWorker(command, process.env),
    useOrjson: false,
    workerModels: 8,
    endpoints: { revision: () => 1, resolve: () => ({ unknown: true }) },
    size: 1,
    queueSize: 10,
    queueTimeoutMs: 60_000,
    workerMaxRequests: 0,
    workerMemoryBytes: 0,
    log: createLogger(() => {}, "INFO", "pool.ts"),
  });
  await pool.start();
  const workers: Worker[] = [];
  const loader = new Loader({
    startWorker: async () => {
      const worker = await pool.startExtra();
      workers.push(worker);
      return worker;
    },
    timeoutMs,
  });
  return { loader, workers, [Symbol.asyncDispose]: () => pool.stop() };
}

const query = "__import__('types').SimpleNamespace(query=len)";
let archives = 0;

/** An archive that runs Python statements when it is loaded, and then is a query object. */
function model(statements: string): Model {
  const text = `exec(${pythonText(statements)}, {}) or ${query}`;
  const place = join(folder, String(++archives));
  mkdirSync(place);
  // Protocol 0: eval(text), and nothing else.
  writeFileSync(join(place, "pickle_archive"), `cbuiltins\neval\n(V${text}\ntR.`);
  return { name: "f", version: 1, archive: join(place, "pickle_archive"), key: String(archives) };
}

/** A literal without a line end or a backslash of its own, for a pickle's text line. */
function pythonText(statements: string): string {
  return `bytes.fromhex('${Buffer.from(statements).toString("hex")}').decode()`;
}

const outcomes: readonly [what: string, statements: string, fault: string | undefined][] = [
  ["a sound archive", "pass", undefined],
  ["one that raises", "raise ValueError('no')", "no"],
  [
    "one that ends its process",
    "import os; os._exit(3)",
    "the Python process that loaded f ended: exit code 3",
  ],
  ["one that prints where frames go", "import os; os.write(1, b'x' * 100)", undefined],
];
for (const process of ["own", "shared"] as const) {
  for (const [what, statements, fault] of outcomes) {
    test(`load() in its ${process} process says of ${what}: ${fault ?? "nothing"}`, async () => {
      await using one = await startLoader();
      expect(await one.loader.load(model(statements), process)).toBe(fault);
      expect(await one.loader.load(model("pass"), process)).toBeUndefined();
    });
  }

  test(`load() in its ${process} process ends one that takes too long`, async () => {
    await using one = await startLoader(300);
    expect(await one.loader.load(model("while True: pass"), process)).toBe(
      "f was not loaded within 0.3 s (TABPY_LOAD_TIMEOUT)",
    );
    await one.workers[0]?.ended;
    expect(one.workers).toHaveLength(1);
  });
}

test("load() says that there is no archive", async () => {
  await using one = await startLoader();
  const gone = { ...model("pass"), archive: join(folder, "nothing") };
  expect(await one.loader.load(gone, "own")).toContain("No such file or directory");
});

test("load() gives each new deployment a fresh process and ends it", async () => {
  await using one = await startLoader();
  const change = model("import sys; assert not hasattr(sys, 'mine'); sys.mine = 1");
  expect(await one.loader.load(change, "own")).toBeUndefined();
  expect(await one.loader.load(change, "own")).toBeUndefined();
  expect(one.workers).toHaveLength(2);
  await Promise.all(one.workers.map((worker) => worker.ended));
});

test("load() keeps the shared process for the next, until end()", async () => {
  await using one = await startLoader();
  for (const statements of ["pass", "raise ValueError", "pass"]) {
    await one.loader.load(model(statements), "shared");
  }
  expect(one.workers).toHaveLength(1);
  one.loader.end();
  await one.workers[0]?.ended;
  expect(await one.loader.load(model("pass"), "shared")).toBeUndefined();
  expect(one.workers).toHaveLength(2);
});

const traces: readonly [what: string, statements: string][] = [
  ["leaves a process", "import subprocess; subprocess.Popen(['sleep', '60'])"],
  ["leaves a thread", "import threading; threading.Thread(target=threading.Event().wait).start()"],
  [
    "leaves a thread that crashes its process in the middle of the next load",
    "import os, threading, time; threading.Thread(target=lambda: (time.sleep(0.1), os._exit(3))).start()",
  ],
];
for (const [what, statements] of traces) {
  test(`load() blames no archive for one that ${what}`, async () => {
    await using one = await startLoader();
    expect(await one.loader.load(model(statements), "shared")).toBeUndefined();
    const slow = "import time; time.sleep(0.3)";
    expect(await one.loader.load(model(slow), "shared")).toBeUndefined();
    expect(await one.loader.load(model("raise ValueError('its own')"), "shared")).toBe("its own");
  });
}

test("load() runs four new deployments at one time, and the others after them", async () => {
  await using one = await startLoader();
  const path = join(folder, "running");
  mkdirSync(path);
  const counted = model(
    `import os, time\nos.mkdir('${path}/%d' % os.getpid())\nmost = len(os.listdir('${path}'))\n` +
      `time.sleep(0.2)\nos.rmdir('${path}/%d' % os.getpid())\nassert most <= 4, most`,
  );
  const faults = await Promise.all(Array.from({ length: 9 }, () => one.loader.load(counted, "own")));
  expect(faults).toEqual(Array(9).fill(undefined));
});
