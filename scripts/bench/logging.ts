// What the log costs small calls, and how they fare while it is blocked: a full file system and a stopped reader of
// standard output, for a minute at full rate.

import { spawnSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { mountSmallDisk } from "../../test/support/small-disk.ts";
import type { Bench } from "./bench.ts";
import { small } from "./calls.ts";
import { type Load, median } from "./load.ts";
import type { Server } from "./processes.ts";
import type { FigureRow } from "./table.ts";

const connections = 8;

/** Servers take turns, so that a noisy moment affects them all; the medians of the rounds count. */
export async function measureLogCost(bench: Bench): Promise<void> {
  const { isQuick } = bench;
  const consoleLog = openSync(join(bench.folder, "console.log"), "w");
  const servers = [
    await bench.start({}),
    await bench.start({ config: "[TabPy]\n", stdout: consoleLog }),
    await bench.start({ config: "[TabPy]\nTABPY_LOG_DETAILS = true\n", stdout: consoleLog }),
  ];
  const rates: number[][] = servers.map(() => []);
  for (const server of servers) await bench.run(server, small, connections, 1); // warm up
  for (let round = 0; round < (isQuick ? 3 : 9); round++) {
    for (const [index, server] of servers.entries()) {
      const load = await bench.run(server, small, connections, isQuick ? 1 : 4);
      rates[index]?.push(load.calls / load.seconds);
    }
  }
  for (const server of servers) await server.stop();
  closeSync(consoleLog);
  const [quiet = 0, usual = 0, detailed = 0] = rates.map(median);
  const row = (what: string, rate: number, limit: number): FigureRow => {
    const value = 100 * (1 - rate / quiet);
    const note = `${rate.toFixed(0)}/s instead of ${quiet.toFixed(0)}/s`;
    return { what, value, unit: "%", note, target: { text: `<= ${limit} %`, isMet: value <= limit } };
  };
  bench.found.figures.push(
    row("default logging, loss of rate", usual, 10),
    row("TABPY_LOG_DETAILS, loss of rate", detailed, 20),
  );
}

/** The same calls with a log that is written, and with one that can't be. */
export async function measureLogPressure(bench: Bench): Promise<void> {
  const seconds = bench.isQuick ? 5 : 60;
  const usual = await withReader(bench, "usual", async (server) =>
    bench.run(server, small, connections, seconds),
  );
  const blocked = await runBlocked(bench, seconds);
  const ratio = blocked.load.p99Ms / usual.p99Ms;
  bench.found.figures.push(
    {
      what: `p99 with the log blocked for ${seconds} s`,
      value: ratio,
      unit: "times usual",
      note: `${blocked.load.p99Ms.toFixed(2)} ms instead of ${usual.p99Ms.toFixed(2)} ms; ${blocked.load.calls} calls, none failed`,
      target: { text: "<= 2 times", isMet: ratio <= 2 },
    },
    {
      what: "lines that both logs report as lost",
      value: blocked.lostLines,
      unit: "lines",
      target: { text: "> 0 in both", isMet: blocked.lostLines > 0 },
    },
  );
}

function configOf(file: string): string {
  return `[TabPy]
[loggers]
keys=root
[handlers]
keys=out,file
[formatters]
keys=f
[logger_root]
level=INFO
handlers=out,file
[handler_out]
class=StreamHandler
args=(sys.stdout,)
formatter=f
[handler_file]
class=FileHandler
args=('${file}',)
formatter=f
[formatter_f]
format=%(asctime)s [%(levelname)s] (%(filename)s:%(module)s:%(lineno)d): %(message)s
`;
}

/** A server whose standard output is a pipe that is read. */
async function withReader<T>(bench: Bench, name: string, use: (server: Server) => Promise<T>): Promise<T> {
  const pipe = openPipe(join(bench.folder, name));
  const reading = setInterval(() => drain(pipe.reader), 5);
  try {
    const server = await bench.start({
      config: configOf(join(bench.folder, `${name}.log`)),
      stdout: pipe.writer,
    });
    const result = await use(server);
    await server.stop();
    return result;
  } finally {
    clearInterval(reading);
    closeSync(pipe.reader);
    closeSync(pipe.writer);
    rmSync(join(bench.folder, `${name}.log`), { force: true });
  }
}

async function runBlocked(
  bench: Bench,
  seconds: number,
): Promise<{ readonly load: Load; readonly lostLines: number }> {
  using disk = mountSmallDisk("32m");
  if (disk === undefined) throw new Error("a small file system can't be mounted here");
  const pipe = openPipe(join(bench.folder, "stopped"));
  try {
    const file = disk.file("full.log");
    const server = await bench.start({
      config: configOf(file),
      stdout: pipe.writer,
    });
    disk.fill();
    await bench.run(server, small, connections, 2); // until pipe and buffers are full
    const load = await bench.run(server, small, connections, seconds);
    disk.empty();
    let printed = "";
    const lost = (text: string) => Number(/(\d+) lines were lost here/.exec(text)?.[1] ?? 0);
    const deadline = performance.now() + 20_000;
    while (lost(printed.slice(-100_000)) === 0 || lost(readFileSync(file, "utf8")) === 0) {
      if (performance.now() > deadline) throw new Error("the logs don't report how many lines they lost");
      printed += drain(pipe.reader);
      await Bun.sleep(5);
    }
    const lostLines = Math.min(lost(printed.slice(-100_000)), lost(readFileSync(file, "utf8")));
    await server.stop();
    return { load, lostLines };
  } finally {
    closeSync(pipe.reader);
    closeSync(pipe.writer);
  }
}

function openPipe(path: string): { readonly reader: number; readonly writer: number } {
  if (spawnSync("mkfifo", [path]).status !== 0) throw new Error("mkfifo failed");
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, constants.O_WRONLY) };
}

/** Reads what is in the pipe now. */
function drain(fd: number): string {
  const part = Buffer.alloc(1024 * 1024);
  let text = "";
  for (;;) {
    try {
      const count = readSync(fd, part);
      if (count === 0) return text;
      text += part.toString("utf8", 0, count);
    } catch {
      return text; // EAGAIN: empty
    }
  }
}
