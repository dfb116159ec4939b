// The benchmark: small calls, large data, two busy scripts, start and memory, each beside a bare Python loop
// (bench-floor.py), the figure to reach, and TabPy 2.13's on two cores. Run through scripts/bench. The load is
// bench-load.ts's, the processes are bench-server.ts's, the tables are bench-table.ts's affair.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { measureAuthentication } from "./bench-auth.ts";
import { measureDeployed } from "./bench-deployed.ts";
import { type Call, type Load, median, socketLoad, wrkLoad } from "./bench-load.ts";
import {
  cpuSeconds,
  type FloorModules,
  familyOf,
  readTicksPerSecond,
  residentMb,
  type Server,
  startFloor,
  startServer,
  stopAll,
} from "./bench-server.ts";
import { measureLogCost, measureLogPressure } from "./bench-logging.ts";
import { type FigureRow, type Found, formatFound, type LoadRow, type Target } from "./bench-table.ts";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    only: { type: "string", default: "" },
  },
});
const isQuick = options.quick;
const binary = resolve(process.env.TABPY_TEST_BINARY || join(import.meta.dir, "../dist/tabpy"));
const python = process.env.TABPY_TEST_PYTHON || realPython();
const orjsonVersion = printedBy(python, "import orjson; print(orjson.__version__)");
const hasWrk = spawnSync("wrk", ["-v"]).error === undefined;
const ticksPerSecond = readTicksPerSecond();
const folder = mkdtempSync(join(tmpdir(), "tabpy-bench-"));
const found: Found = { loads: [], figures: [], failures: [], skipped: [] };

/** The interpreter behind `python3`, not a shim before it. */
function realPython(): string {
  return printedBy("python3", "import sys; print(sys.executable)") ?? "python3";
}

function printedBy(interpreter: string, program: string): string | undefined {
  const ran = spawnSync(interpreter, ["-c", program]);
  return ran.status === 0 ? ran.stdout.toString().trim() : undefined;
}

function atMost(value: number, limit: number, text: string): Target {
  return { text, isMet: value <= limit };
}

function below(value: number, limit: number, text: string): Target {
  return { text, isMet: value < limit };
}

function call(data: Record<string, unknown>, script: string, wanted: string): Call {
  return { body: JSON.stringify({ script, data }), wanted };
}

/** `run`, with the processor use of the server and of its workers meanwhile. */
async function withCpu(server: Server, run: () => Promise<Load>) {
  const { workers } = familyOf(server.pid);
  const used = () => [cpuSeconds([server.pid], ticksPerSecond), cpuSeconds(workers, ticksPerSecond)] as const;
  const before = used();
  const began = performance.now();
  const load = await run();
  const percent = 100_000 / (performance.now() - began);
  const after = used();
  return {
    perSecond: load.calls / load.seconds,
    p50Ms: load.p50Ms,
    p99Ms: load.p99Ms,
    serverCpuPercent: (after[0] - before[0]) * percent,
    workersCpuPercent: (after[1] - before[1]) * percent,
  };
}

/** What the server's workers read and write large data with in this Python. */
const modules: FloorModules =
  orjsonVersion === undefined ? { loads: "json", dumps: "json" } : { loads: "orjson", dumps: "orjson" };

async function measureStarts(): Promise<void> {
  const listening: number[] = [];
  const answered: number[] = [];
  const first = call({ _arg1: [1] }, "return _arg1", "[1]");
  for (let at = 0; at < 5; at++) {
    const began = performance.now();
    const server = await startServer(binary, python, folder);
    await socketLoad(server.port, first, 1, { calls: 1 });
    answered.push(performance.now() - began);
    listening.push(server.listeningMs);
    if (at === 4) await measureIdle(server);
    await server.stop();
  }
  const ready = median(listening);
  const answer = median(answered);
  found.figures.push(
    { what: "exec to listening", value: ready, unit: "ms", target: atMost(ready, 100, "<= 100 ms") },
    {
      what: "exec to first answer",
      value: answer,
      unit: "ms",
      target: atMost(answer, 250, "<= 250 ms"),
      tabpy: "1500 ms",
    },
  );
}

async function measureIdle(server: Server): Promise<void> {
  await Bun.sleep(1000);
  const resident = residentMb(server.pid);
  const { keepers, workers } = familyOf(server.pid);
  if (workers.length === 0) throw new Error("the server has no workers");
  found.figures.push({
    what: "server, resident, idle",
    value: resident,
    unit: "MB",
    target: below(resident, 80, "< 80 MB"),
    tabpy: "137 MB",
  });
  workers.map(residentMb).forEach((value, at) => {
    const target = below(value, 20, "< 20 MB");
    found.figures.push({ what: `worker ${at + 1}, resident, idle`, value, unit: "MB", target });
  });
  keepers.map(residentMb).forEach((value, at) => {
    const note = "partly shared with its worker";
    found.figures.push({ what: `keeper ${at + 1}, resident, idle`, value, unit: "MB", note });
  });
}

function runSmall(server: Server, call: Call, connections: number, seconds: number): Promise<Load> {
  return hasWrk
    ? wrkLoad(server.port, call, connections, seconds, folder)
    : socketLoad(server.port, call, connections, { seconds });
}

async function measureSmall(server: Server): Promise<void> {
  const small = call({ _arg1: [1, 2, 3] }, "return [x + 1 for x in _arg1]", "[2, 3, 4]");
  const run = (connections: number, seconds: number) => runSmall(server, small, connections, seconds);
  const floor = startFloor(python);
  const tabpy: Record<number, string> = { 1: "1550/s, p50 0.57 ms", 8: "2400/s", 32: "2700/s" };
  for (const connections of [1, 8, 32]) {
    await run(connections, 1); // warm up
    const load = await withCpu(server, () => run(connections, isQuick ? 1 : 5));
    const floorPerSecond =
      1 / (await floor.measure(small, isQuick ? 20_000 : 100_000, { loads: "json", dumps: "json" }));
    found.loads.push({
      what: `3 numbers, ${connections} ${connections === 1 ? "connection" : "connections"}`,
      ...load,
      floorPerSecond,
      floorModules: "json",
      ...(connections === 1 && { target: below(load.p50Ms, 0.2, "p50 < 0.2 ms") }),
      ...(connections === 8 && {
        target: { text: ">= 20000/s", isMet: load.perSecond >= 20_000 },
      }),
      tabpy: tabpy[connections] ?? "",
    });
  }
  await floor.stop();
  found.figures.push({
    what: "server, resident, after the small calls",
    value: residentMb(server.pid),
    unit: "MB",
  });
}

async function measureRows(server: Server): Promise<void> {
  const column = Array.from({ length: 10_000 }, (_, at) => at + 0.25);
  const wanted = JSON.stringify(column.map((x) => x + 1));
  const rows = call({ _arg1: column }, "return [x + 1 for x in _arg1]", wanted);
  const run = (seconds: number) => socketLoad(server.port, rows, 8, { seconds });
  await run(1); // warm up
  const load = await withCpu(server, () => run(isQuick ? 1 : 5));
  const floor = startFloor(python);
  const floorPerSecond = 1 / (await floor.measure(rows, isQuick ? 50 : 200, modules));
  await floor.stop();
  found.loads.push({
    what: "10,000 rows, 8 connections",
    ...load,
    floorPerSecond,
    floorModules: modules.loads,
    tabpy: "99/s",
  });
}

async function measureBusy(server: Server): Promise<void> {
  const count = isQuick ? 3_000_000 : 8_000_000;
  const script = "total = 0\nfor x in range(_arg1): total += x\nreturn total";
  const busy = call({ _arg1: count }, script, String((count * (count - 1)) / 2));
  const time = async (scripts: number) => {
    const load = await socketLoad(server.port, busy, scripts, { calls: scripts });
    return load.seconds * 1000;
  };
  await time(2); // warm up
  const one: number[] = [];
  const two: number[] = [];
  for (let at = 0; at < (isQuick ? 3 : 5); at++) {
    one.push(await time(1));
    two.push(await time(2));
  }
  const ratio = median(two) / median(one);
  found.figures.push({
    what: "two CPU-bound scripts at once",
    value: ratio,
    unit: "times one",
    note: `one takes ${median(one).toFixed(0)} ms`,
    target: atMost(ratio, 1.1, "<= 1.1 times"),
    tabpy: "2.7 times",
  });
}

/** After this time a worker has given back the memory that its last call used (programs/worker/freed_memory.py). */
const restMs = 61_000;

/** Calls of the server and of each floor take turns, so that a noisy moment meets them all. */
async function measureMillion(
  interpreter: string,
  name: string,
  floors: readonly FloorModules[],
): Promise<void> {
  const first = Array.from({ length: 1_000_000 }, (_, at) => at + 0.25);
  const second = first.map((x) => x * 2);
  const wanted = JSON.stringify(first.map((x) => x * 3));
  const million = call(
    { _arg1: first, _arg2: second },
    "return [a + b for a, b in zip(_arg1, _arg2)]",
    wanted,
  );
  const server = await startServer(binary, interpreter, folder);
  const floor = startFloor(interpreter);
  const loads: Awaited<ReturnType<typeof withCpu>>[] = [];
  const floorSeconds = floors.map((): number[] => []);
  await socketLoad(server.port, million, 1, { calls: 1 }); // warm up
  for (let at = 0; at < (isQuick ? 2 : 5); at++) {
    loads.push(await withCpu(server, () => socketLoad(server.port, million, 1, { calls: 1 })));
    for (const [index, one] of floors.entries())
      floorSeconds[index]?.push(await floor.measure(million, 1, one));
  }
  let restedMs: number | undefined;
  if (!isQuick) {
    await Bun.sleep(restMs);
    restedMs = (await socketLoad(server.port, million, 1, { calls: 1 })).p50Ms;
  }
  await Promise.all([floor.stop(), server.stop()]);
  const middle = (pick: (load: (typeof loads)[number]) => number) => median(loads.map(pick));
  const p50Ms = middle((load) => load.p50Ms);
  for (const [index, one] of floors.entries()) {
    const seconds = median(floorSeconds[index] ?? []);
    const floorModules = one.loads === one.dumps ? one.loads : `${one.loads} in, ${one.dumps} out`;
    const ratio = p50Ms / 1000 / seconds;
    found.loads.push({
      what: `1,000,000 rows x 2, ${name}`,
      perSecond: 1000 / p50Ms,
      p50Ms,
      p99Ms: Math.max(...loads.map((load) => load.p99Ms)),
      serverCpuPercent: middle((load) => load.serverCpuPercent),
      workersCpuPercent: middle((load) => load.workersCpuPercent),
      floorPerSecond: 1 / seconds,
      floorModules,
      target: atMost(ratio, 1.4, `<= 1.4x floor: ${ratio.toFixed(2)}x`),
      tabpy: "1250 ms",
    } satisfies LoadRow);
  }
  if (restedMs !== undefined) {
    const what = `1,000,000 rows x 2, ${name}, after ${restMs / 1000} s of rest`;
    const floorMs = median(floorSeconds.at(-1) ?? []) * 1000;
    const note = `${(restedMs / p50Ms).toFixed(2)} times the others, ${(restedMs / floorMs).toFixed(2)}x floor`;
    found.figures.push({ what, value: restedMs, unit: "ms", note });
  }
}

async function measureMillions(): Promise<void> {
  const bare = join(folder, "bare");
  const made = spawnSync(python, ["-m", "venv", "--without-pip", bare]);
  if (made.status !== 0) throw new Error(`can't make a virtual environment: ${made.stderr?.toString()}`);
  await measureMillion(join(bare, "bin/python"), "without orjson", [{ loads: "json", dumps: "json" }]);
  if (orjsonVersion === undefined) {
    found.skipped.push("1,000,000 rows x 2, with orjson: this Python has no orjson");
    return;
  }
  await measureMillion(python, "with orjson", [
    { loads: "orjson", dumps: "json" },
    { loads: "orjson", dumps: "orjson" },
  ]);
}

/** One part of the benchmark: what fails in it is noted, and the others go on. */
async function part(name: string, run: () => Promise<void>): Promise<void> {
  if (!name.includes(options.only)) return;
  try {
    await run();
  } catch (error) {
    found.failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    await stopAll();
  }
}

async function withServer(run: (server: Server) => Promise<void>): Promise<void> {
  const server = await startServer(binary, python, folder);
  await run(server);
  await server.stop();
}

async function cleanUp(): Promise<void> {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  process.on(signal, () => cleanUp().finally(() => process.exit(code)));

if (!existsSync(binary)) found.failures.push(`no executable at "${binary}"`);
else {
  const setting = {
    python: printedBy(python, "import sys; print('%d.%d.%d' % sys.version_info[:3])") ?? "unknown",
    orjson: orjsonVersion ?? "none",
    cores: cpus().length,
    smallCallsBy: hasWrk ? "wrk" : "own sockets",
  };
  console.log(
    `Python ${setting.python}, orjson: ${setting.orjson}, ${setting.cores} cores, log level WARNING, small calls by ${setting.smallCallsBy}, large ones by own sockets\n`,
  );
  await part("start and memory", measureStarts);
  await part("small calls", () => withServer(measureSmall));
  const numbers = call({ _arg1: [1, 2, 3] }, "return [x + 1 for x in _arg1]", "[2, 3, 4]");
  const run = (server: Server, connections: number, seconds: number) =>
    runSmall(server, numbers, connections, seconds);
  const logging = { binary, python, folder, isQuick, run };
  await part("cost of the log", async () => void found.figures.push(...(await measureLogCost(logging))));
  await part("log held up", async () => void found.figures.push(...(await measureLogPressure(logging))));
  await part("10,000 rows", () => withServer(measureRows));
  await part("two CPU-bound scripts", () => withServer(measureBusy));
  await part("1,000,000 rows", measureMillions);
  await part("deployed functions", () =>
    measureDeployed({
      binary,
      python,
      folder,
      isQuick,
      run: runSmall,
      addFigure: (row) => found.figures.push(row),
    }),
  );
  await part("authentication and HTTPS", () =>
    measureAuthentication({ binary, python, folder, isQuick, hasWrk, found }),
  );
  found.figures.sort(byMemoryLast);
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ ...setting, ...found }, undefined, 2)}\n`);
}
console.log(formatFound(found));
await cleanUp();
process.exit(found.failures.length === 0 ? 0 : 1);

function byMemoryLast(a: FigureRow, b: FigureRow): number {
  return Number(a.unit === "MB") - Number(b.unit === "MB");
}
