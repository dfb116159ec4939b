// The benchmark: small calls, large data, two busy scripts, start and memory, each beside a bare Python loop
// (bench-floor.py), beside the figure to reach and beside TabPy 2.13's on two cores. Run through scripts/bench.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const isQuick = process.argv.includes("--quick");
const seconds = isQuick ? 1 : 4;
const binary = process.env.TABPY_TEST_BINARY ?? join(import.meta.dir, "../dist/tabpy");
const python = process.env.TABPY_TEST_PYTHON ?? realPython();
const folder = mkdtempSync(join(tmpdir(), "tabpy-bench-"));
const servers = new Set<ChildProcess>();
process.on("exit", () => {
  for (const server of servers) server.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
});
process.on("SIGINT", () => process.exit(130));

interface Row {
  what: string;
  measured: string;
  floor?: string;
  target?: string;
  before?: string;
}
const rows: Row[] = [];

/** The interpreter behind `python3`, not a shim before it. */
function realPython(): string {
  return spawnSync("python3", ["-c", "import sys; print(sys.executable)"]).stdout.toString().trim();
}

function hasOrjson(interpreter: string): boolean {
  return spawnSync(interpreter, ["-c", "import orjson"]).status === 0;
}

interface Running {
  process: ChildProcess;
  pid: number;
  port: number;
  listeningMs: number;
  answeredMs: number;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket.destroy() !== undefined));
    socket.on("error", () => resolve(false));
  });
}

async function start(interpreter: string): Promise<Running> {
  const port = await freePort();
  const config = join(folder, "bench.conf");
  writeFileSync(config, "[TabPy]\n[logger_root]\nlevel = WARNING\n");
  const env = {
    ...process.env,
    TABPY_HOST: "127.0.0.1",
    TABPY_PORT: String(port),
    TABPY_PYTHON: interpreter,
    TABPY_STATE_PATH: folder,
    TABPY_EVALUATE_TIMEOUT: "120",
  };
  const began = performance.now();
  const server = spawn(binary, ["--config", config], { env, stdio: ["ignore", "ignore", "inherit"] });
  servers.add(server);
  while (!(await canConnect(port))) await Bun.sleep(1);
  const listeningMs = performance.now() - began;
  const answer = await post(port, body({ _arg1: [1] }, "return _arg1"));
  if (answer !== "[1]") throw new Error(`wrong first answer: ${answer}`);
  return { process: server, pid: server.pid ?? 0, port, listeningMs, answeredMs: performance.now() - began };
}

async function stop(running: Running): Promise<void> {
  running.process.kill("SIGTERM");
  await new Promise((resolve) => running.process.on("exit", resolve));
  servers.delete(running.process);
}

function body(data: unknown, script: string): string {
  return JSON.stringify({ data, script });
}

async function post(port: number, text: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/evaluate`, { method: "POST", body: text });
  const got = await answer.text();
  if (answer.status !== 200) throw new Error(`${answer.status}: ${got.slice(0, 300)}`);
  return got;
}

/** Processor seconds that a process has used. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function residentMb(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
  return Number(kilobytes) / 1024;
}

function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => {
      try {
        return (
          Number(
            readFileSync(`/proc/${child}/stat`, "latin1")
              .replace(/^.*\) /s, "")
              .split(" ")[1],
          ) === pid
        );
      } catch {
        return false;
      }
    });
}

interface Load {
  perSecond: number;
  p50: number;
  p99: number;
  serverCpu: number;
  workerCpu: number;
}

/** Load from `connections` keep-alive connections, each with one request at a time; every answer is compared. */
async function load(running: Running, text: string, wanted: string, connections: number): Promise<Load> {
  const bytes = `POST /evaluate HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
  const workers = childrenOf(running.pid).flatMap(childrenOf);
  const run = async (forSeconds: number): Promise<number[]> => {
    const script = join(import.meta.dir, "bench-load.ts");
    const job = JSON.stringify({ port: running.port, bytes, wanted, connections, seconds: forSeconds });
    const child = Bun.spawn([process.execPath, script], {
      stdin: new Blob([job]),
      stdout: "pipe",
      stderr: "inherit",
    });
    const printed = await new Response(child.stdout).text();
    if ((await child.exited) !== 0) throw new Error("the load failed");
    return JSON.parse(printed);
  };
  await run(Math.min(1, seconds / 2)); // warm up
  const cpuBefore = [
    cpuSeconds(running.pid),
    workers.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
  ] as const;
  const times = (await run(seconds)).sort((a, b) => a - b);
  const serverCpu = cpuSeconds(running.pid) - cpuBefore[0];
  const workerCpu = workers.reduce((sum, pid) => sum + cpuSeconds(pid), 0) - cpuBefore[1];
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  return {
    perSecond: times.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    serverCpu: (100 * serverCpu) / seconds,
    workerCpu: (100 * workerCpu) / seconds,
  };
}

/** Seconds a call in the bare loop. */
function floor(interpreter: string, text: string, calls: number, orjson: boolean): number {
  const job = `${JSON.stringify({ body: text, calls, orjson })}\n`;
  const ran = spawnSync(interpreter, [join(import.meta.dir, "bench-floor.py")], {
    input: job,
    maxBuffer: 1 << 28,
  });
  if (ran.status !== 0) throw new Error(ran.stderr.toString());
  return JSON.parse(ran.stdout.toString()).seconds / calls;
}

/** As `floor`, for one call, while others run. */
async function floorBeside(text: string): Promise<number> {
  const stdin = new Blob([`${JSON.stringify({ body: text, calls: 1, orjson: false })}\n`]);
  const child = Bun.spawn([python, join(import.meta.dir, "bench-floor.py")], { stdin, stdout: "pipe" });
  return JSON.parse(await new Response(child.stdout).text()).seconds;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function met(isMet: boolean, target: string): string {
  return `${target} ${isMet ? "(met)" : "(missed)"}`;
}

async function benchStart(): Promise<void> {
  const starts: Running[] = [];
  for (let at = 0; at < 5; at++) {
    const running = await start(python);
    starts.push(running);
    if (at === 4) {
      await Bun.sleep(1000);
      const server = residentMb(running.pid);
      const keepers = childrenOf(running.pid);
      const worker = Math.max(...keepers.flatMap(childrenOf).map(residentMb));
      rows.push({
        what: "server, resident, idle",
        measured: `${server.toFixed(0)} MB`,
        target: met(server < 80, "80 MB"),
        before: "137 MB",
      });
      rows.push({
        what: "worker, resident, idle",
        measured: `${worker.toFixed(1)} MB`,
        target: met(worker < 20, "20 MB"),
      });
      rows.push({
        what: "its keeper, mostly shared with it",
        measured: `${Math.max(...keepers.map(residentMb)).toFixed(1)} MB`,
      });
    }
    await stop(running);
  }
  const listening = median(starts.map((one) => one.listeningMs));
  const answered = median(starts.map((one) => one.answeredMs));
  rows.push({
    what: "exec to listening",
    measured: `${listening.toFixed(0)} ms`,
    target: met(listening <= 100, "100 ms"),
  });
  rows.push({
    what: "exec to first answer",
    measured: `${answered.toFixed(0)} ms`,
    target: met(answered <= 250, "250 ms"),
    before: "1500 ms",
  });
}

async function benchSmall(running: Running): Promise<void> {
  const text = body({ _arg1: [1, 2, 3] }, "return [x + 1 for x in _arg1]");
  const bare = floor(python, text, isQuick ? 20_000 : 100_000, false);
  const before: Record<number, string> = { 1: "1550/s, p50 0.57", 8: "2400/s", 32: "2700/s" };
  for (const connections of [1, 8, 32]) {
    const got = await load(running, text, "[2, 3, 4]", connections);
    const target =
      connections === 1
        ? met(got.p50 < 0.2, "p50 0.2 ms")
        : connections === 8
          ? met(got.perSecond >= 20_000, "20000/s")
          : undefined;
    pushLoad(`small calls, ${connections} connections`, got, bare, target, before[connections]);
  }
}

function pushLoad(
  what: string,
  got: Load,
  bare: number,
  target: string | undefined,
  before: string | undefined,
): void {
  rows.push({
    what,
    measured: `${got.perSecond.toFixed(0)}/s, p50 ${got.p50.toFixed(2)} ms, p99 ${got.p99.toFixed(2)} ms, server ${got.serverCpu.toFixed(0)}%, workers ${got.workerCpu.toFixed(0)}%`,
    floor: `${(1 / bare).toFixed(0)}/s`,
    ...(target === undefined ? {} : { target }),
    ...(before === undefined ? {} : { before }),
  });
}

async function benchRows(running: Running): Promise<void> {
  const column = Array.from({ length: 10_000 }, (_, at) => at + 0.25);
  const text = body({ _arg1: column }, "return [x + 1 for x in _arg1]");
  const wanted = `[${column.map((x) => x + 1).join(", ")}]`;
  const got = await load(running, text, wanted, 8);
  pushLoad("10,000 rows, 8 connections", got, floor(python, text, 100, false), undefined, "99/s");
}

async function benchMillion(running: Running, interpreter: string, orjson: boolean): Promise<void> {
  const column = Array.from({ length: 1_000_000 }, (_, at) => at + 0.25);
  const text = body({ _arg1: column, _arg2: column }, "return [a + b for a, b in zip(_arg1, _arg2)]");
  const times: number[] = [];
  const floors: number[] = [];
  for (let at = 0; at < (isQuick ? 2 : 5); at++) {
    const began = performance.now();
    const answer = await post(running.port, text);
    times.push((performance.now() - began) / 1000);
    if (!answer.startsWith("[0.5,") || !answer.endsWith("1999998.5]"))
      throw new Error("wrong answer to 1,000,000 rows");
    floors.push(floor(interpreter, text, 1, orjson));
  }
  const ratio = median(times) / median(floors);
  rows.push({
    what: `1,000,000 rows x 2, ${orjson ? "with" : "without"} orjson`,
    measured: `${median(times).toFixed(2)} s, ${ratio.toFixed(2)} times the floor`,
    floor: `${median(floors).toFixed(2)} s`,
    target: met(ratio <= 1.4, "1.4 times"),
    before: "1.25 s",
  });
}

async function benchBusy(running: Running): Promise<void> {
  const text = body(
    { _arg1: isQuick ? 3_000_000 : 10_000_000 },
    "total = 0\nfor x in range(_arg1): total += x\nreturn total",
  );
  const time = async (count: number) => {
    const began = performance.now();
    await Promise.all(Array.from({ length: count }, () => post(running.port, text)));
    return performance.now() - began;
  };
  await time(2);
  const one = median([await time(1), await time(1), await time(1)]);
  const two = median([await time(2), await time(2), await time(2)]);
  // What two processes of this machine cost each other without any server between.
  const bareOne = floor(python, text, 1, false);
  const bareTwo = Math.max(...(await Promise.all([floorBeside(text), floorBeside(text)])));
  rows.push({
    what: "two CPU-bound scripts at once",
    floor: `${(bareTwo / bareOne).toFixed(2)} times one`,
    measured: `${(two / one).toFixed(2)} times one (${one.toFixed(0)} ms)`,
    target: met(two / one <= 1.1, "1.1 times"),
    before: "2.7 times",
  });
}

function printTable(): void {
  const columns = ["what", "measured", "floor", "target", "before"] as const;
  const titles = {
    what: "",
    measured: "measured",
    floor: "bare Python loop",
    target: "to reach",
    before: "TabPy 2.13",
  };
  const all = [titles, ...rows];
  const widths = columns.map((column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  for (const row of all)
    console.log(
      columns
        .map((column, at) => (row[column] ?? "").padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    );
}

console.log(
  `${spawnSync(python, ["--version"]).stdout.toString().trim()}, log level WARNING, load from another process of bun\n`,
);
await benchStart();
const running = await start(python);
await benchSmall(running);
await benchRows(running);
await benchBusy(running);
await stop(running);
const bare = join(folder, "bare");
spawnSync(python, ["-m", "venv", "--without-pip", bare]);
for (const [interpreter, orjson] of [
  [join(bare, "bin/python"), false],
  [python, true],
] as const) {
  if (orjson && !hasOrjson(interpreter)) {
    rows.push({
      what: "1,000,000 rows x 2, with orjson",
      measured: "not measured: this Python has no orjson",
    });
    continue;
  }
  const large = await start(interpreter);
  await benchMillion(large, interpreter, orjson);
  await stop(large);
}
printTable();
process.exit(0);
