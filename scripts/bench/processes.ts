// The processes that the benchmark measures: the server, its reapers and workers, and the floor (floor.py).
// All are stopped by `stop()`, and by stopAll() when the benchmark ends early.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePort, isRefused } from "../../test/support/network.ts";
import type { Call, Load } from "./load.ts";

const startTimeoutMs = 20_000;
const stopTimeoutMs = 15_000;
const ticksPerSecond = Number(spawnSync("getconf", ["CLK_TCK"]).stdout?.toString()) || 100;
const children = new Set<ChildProcess>();

export interface Server {
  readonly pid: number;
  readonly port: number;
  /** From exec to the first connection that was accepted. */
  readonly listeningMs: number;
  stop(): Promise<void>;
}

/** A log without handlers, so that all other measurements don't include its cost. */
const quietLog = `[TabPy]
[loggers]
keys=root
[handlers]
keys=
[formatters]
keys=
[logger_root]
level=WARNING
handlers=
`;

export interface ServerOptions {
  /** Text of the config file; without it nothing is logged below WARNING. */
  readonly config?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A descriptor for standard output, which is discarded otherwise. */
  readonly stdout?: number;
}

/** Starts `binary` on a free loopback port, with its files in `folder`. */
export async function startServer(
  binary: string,
  python: string,
  folder: string,
  options: ServerOptions = {},
): Promise<Server> {
  const port = await freePort();
  const config = join(folder, `bench-${port}.conf`);
  writeFileSync(config, options.config ?? quietLog);
  const others = Object.entries(process.env).filter(([name]) => !name.toUpperCase().startsWith("TABPY_"));
  const env = {
    ...Object.fromEntries(others),
    TABPY_HOST: "127.0.0.1",
    TABPY_PORT: String(port),
    TABPY_PYTHON: python,
    TABPY_STATE_PATH: join(folder, "state"),
    TABPY_EVALUATE_TIMEOUT: "120",
    ...options.env,
  };
  const began = performance.now();
  // Detached: Ctrl-C reaches only the benchmark, which then stops the server.
  const child = spawn(binary, ["--config", config], {
    env,
    stdio: ["ignore", options.stdout ?? "ignore", "inherit"],
    detached: true,
  });
  await once(child, "spawn");
  children.add(child);
  while (await isRefused(port)) {
    if (hasEnded(child)) throw new Error("the server ended before it listened");
    if (performance.now() - began > startTimeoutMs) throw new Error("the server doesn't listen");
    await Bun.sleep(0.5);
  }
  const listeningMs = performance.now() - began;
  return { pid: child.pid ?? 0, port, listeningMs, stop: () => stop(child) };
}

export interface Floor {
  /** Seconds per call. */
  measure(call: Call, calls: number, modules: FloorModules): Promise<number>;
  stop(): Promise<void>;
}

/** The modules with which the floor reads requests and writes answers. */
export interface FloorModules {
  readonly loads: "json" | "orjson";
  readonly dumps: "json" | "orjson";
}

export function startFloor(python: string): Floor {
  const child = spawn(python, [join(import.meta.dir, "floor.py")], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  children.add(child);
  child.stdin.on("error", () => {}); // an early end shows in `measure`
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async measure(call, calls, modules) {
      child.stdin.write(`${JSON.stringify({ ...call, ...modules, calls })}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error("the floor ended early");
      return JSON.parse(value).seconds;
    },
    stop: () => stop(child),
  };
}

/** Stops every process that is left, and waits for its end. */
export async function stopAll(): Promise<void> {
  await Promise.all([...children].map(stop));
}

async function stop(child: ChildProcess): Promise<void> {
  if (!hasEnded(child)) {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await ended;
    clearTimeout(force);
  }
  children.delete(child);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Reapers are the server's children, workers the reapers' children. */
export function familyOf(serverPid: number): { reapers: number[]; workers: number[] } {
  const reapers = childrenOf(serverPid);
  return { reapers, workers: reapers.flatMap(childrenOf) };
}

function childrenOf(parent: number): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      const [state, parentPid] = statFields(pid);
      return Number(parentPid) === parent && state !== "Z";
    } catch {
      return false; // ended since
    }
  });
}

/** The fields of /proc/<pid>/stat from the third on: the second, the name, may contain spaces. */
function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** Processor seconds that these processes have used so far. */
function cpuSeconds(pids: readonly number[]): number {
  const ticks = pids.map((pid) => {
    const fields = statFields(pid);
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, one) => sum + one, 0) / ticksPerSecond;
}

/** Runs a load and measures the processor use of the server and of its workers meanwhile. */
export async function withCpu(server: Server, run: () => Promise<Load>) {
  const { workers } = familyOf(server.pid);
  const used = () => [cpuSeconds([server.pid]), cpuSeconds(workers)] as const;
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

/** VmRSS, in megabytes of 1024 * 1024 bytes. */
export function residentMb(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
  if (kilobytes === undefined) throw new Error(`no VmRSS of process ${pid}`);
  return Number(kilobytes) / 1024;
}
