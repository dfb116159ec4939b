// Loads beside the pool: real workers, archives of plain pickle.

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Model } from "../../src/model.ts";
import { Pool } from "../../src/executor/pool.ts";
import { spawnWorker } from "../../src/executor/process/spawn.ts";
import { TrialLoad } from "../../src/executor/trial-load.ts";
import type { Worker } from "../../src/executor/worker.ts";
import { MemoryAccount } from "../../src/memory-account.ts";
import { createLogger } from "../support/logger.ts";
import { testPython } from "../support/interpreters.ts";
import { folderUntil } from "../support/temporary-folder.ts";

const folder = folderUntil(afterAll);

interface TestLoader extends AsyncDisposable {
  readonly loader: TrialLoad;
  /** The workers that were started for loads. */
  readonly workers: readonly Worker[];
}

async function startLoader(timeoutMs = 30_000): Promise<TestLoader> {
  const pool = new Pool({
    commands: [{ file: testPython().file, args: [] }],
    spawn: (command) => spawnWorker(command, process.env),
    url: "http://localhost:9004",
    reloadModules: true,
    workerModels: 8,
    functions: { revision: () => 1, resolve: () => ({ kind: "unknown" }) },
    size: 1,
    workersPerUser: 1024,
    queueSize: 10,
    queueTimeoutMs: 60_000,
    workerMaxRequests: 0,
    workerMemoryBytes: 0,
    memory: new MemoryAccount(2 ** 31),
    log: createLogger(() => {}, "INFO", "pool.ts"),
  });
  await pool.start();
  const workers: Worker[] = [];
  const loader = new TrialLoad(async () => {
    const worker = await pool.startExtra();
    workers.push(worker);
    return worker;
  }, timeoutMs);
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

/** A literal that contains no line end and no backslash, for a pickle's text line. */
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
for (const method of ["tryAlone", "tryShared"] as const) {
  for (const [what, statements, fault] of outcomes) {
    test(`${method}() returns the fault of ${what}: ${fault ?? "none"}`, async () => {
      await using one = await startLoader();
      expect(await one.loader[method](model(statements))).toBe(fault);
      expect(await one.loader[method](model("pass"))).toBeUndefined();
    });
  }

  test(`${method}() ends a load that takes too long`, async () => {
    await using one = await startLoader(300);
    expect(await one.loader[method](model("while True: pass"))).toBe(
      "f was not loaded within 0.3 s (TABPY_LOAD_TIMEOUT)",
    );
    await one.workers[0]?.ended;
    expect(one.workers).toHaveLength(1);
  });
}

test("tryAlone() reports a missing archive", async () => {
  await using one = await startLoader();
  const gone = { ...model("pass"), archive: join(folder, "nothing") };
  expect(await one.loader.tryAlone(gone)).toContain("No such file or directory");
});

test("tryAlone() gives each new deployment a fresh process and ends it", async () => {
  await using one = await startLoader();
  const change = model("import sys; assert not hasattr(sys, 'mine'); sys.mine = 1");
  expect(await one.loader.tryAlone(change)).toBeUndefined();
  expect(await one.loader.tryAlone(change)).toBeUndefined();
  expect(one.workers).toHaveLength(2);
  await Promise.all(one.workers.map((worker) => worker.ended));
});

test("tryShared() keeps its process for the next load, until endShared()", async () => {
  await using one = await startLoader();
  for (const statements of ["pass", "raise ValueError", "pass"]) {
    await one.loader.tryShared(model(statements));
  }
  expect(one.workers).toHaveLength(1);
  one.loader.endShared();
  await one.workers[0]?.ended;
  expect(await one.loader.tryShared(model("pass"))).toBeUndefined();
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
  test(`tryShared() doesn't blame an archive for another one that ${what}`, async () => {
    await using one = await startLoader();
    expect(await one.loader.tryShared(model(statements))).toBeUndefined();
    const slow = "import time; time.sleep(0.3)";
    expect(await one.loader.tryShared(model(slow))).toBeUndefined();
    expect(await one.loader.tryShared(model("raise ValueError('its own')"))).toBe("its own");
  });
}

test("tryAlone() loads four archives concurrently, and the others after them", async () => {
  await using one = await startLoader();
  const path = join(folder, "running");
  mkdirSync(path);
  const counted = model(
    `import os, time\nos.mkdir('${path}/%d' % os.getpid())\nmost = len(os.listdir('${path}'))\n` +
      `time.sleep(0.2)\nos.rmdir('${path}/%d' % os.getpid())\nassert most <= 4, most`,
  );
  const faults = await Promise.all(Array.from({ length: 9 }, () => one.loader.tryAlone(counted)));
  expect(faults).toEqual(Array(9).fill(undefined));
});
