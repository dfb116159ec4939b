// The benchmark of deployed functions: calls by /query and by tabpy.query in scripts, deploying with the client
// library, a large upload, a start with many functions, and what a long call costs all others.

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Bench } from "./bench.ts";
import { query, queryInScript } from "./calls.ts";
import { median, socketLoad } from "./load.ts";
import { residentMb, type Server } from "./processes.ts";
import type { FigureRow } from "./table.ts";

type AddFigure = (row: FigureRow) => void;

const programs = join(import.meta.dir, "../../src/programs");
/** Run all of it. Throws when an answer is wrong. */
export async function measureDeployed(bench: Bench): Promise<void> {
  const { python, folder, isQuick, found } = bench;
  const addFigure = (row: FigureRow) => void found.figures.push(row);
  const seconds = isQuick ? 1 : 5;
  const state = join(folder, "state");
  rmSync(state, { recursive: true, force: true });
  const server = await bench.start();
  measureDeploy(python, server, addFigure);
  for (const [what, call] of [
    ["/query of a small function, 8 connections", query],
    ["tabpy.query of it in /evaluate, 8 connections", queryInScript],
  ] as const) {
    await bench.run(server, call, 8, 1); // warm up
    const load = await bench.run(server, call, 8, seconds);
    const perSecond = load.calls / load.seconds;
    addFigure({
      what,
      value: perSecond,
      unit: "calls/s",
      note: `p50 ${load.p50Ms.toFixed(2)} ms, p99 ${load.p99Ms.toFixed(1)} ms`,
      target: { text: ">= 15000/s", isMet: perSecond >= 15_000 },
      tabpy: call === query ? "2400/s" : "530/s",
    });
  }
  await measureMeanwhile(server, addFigure);
  await measureUpload(server, isQuick, addFigure);
  await server.stop();
  await measureStart(bench, state);
  rmSync(state, { recursive: true, force: true });
}

/**
 * Deploy `add` (two numbers), `wait` (some seconds) and `timed`; returns the seconds from a call of client.deploy()
 * to serving, without the start of the client's own process.
 */
export function deployFunctions(python: string, server: Server): number {
  const program = `
import json, sys, time
sys.path.insert(0, ${JSON.stringify(programs)})
from tabpy.tabpy_tools.client import Client
client = Client("http://127.0.0.1:${server.port}/")
def add(a, b): return a + b
def wait(seconds):
    import time
    time.sleep(seconds)
client.deploy("add", add, "")
client.deploy("wait", wait, "")
def timed():
    began = time.perf_counter()
    client.deploy("timed", add, "", override=True)
    return time.perf_counter() - began
times = sorted(timed() for _ in range(9))
assert client.query("timed", 1, 2)["response"] == 3
print(json.dumps(times[4]))
`;
  const ran = spawnSync(python, ["-c", program]);
  if (ran.status !== 0) throw new Error(`cannot deploy: ${ran.stderr}`);
  return Number(ran.stdout.toString().trim().split("\n").at(-1));
}

function measureDeploy(python: string, server: Server, addFigure: AddFigure): void {
  const seconds = deployFunctions(python, server);
  addFigure({
    what: "client.deploy to serving, small function",
    value: seconds,
    unit: "s",
    target: { text: "< 0.3 s", isMet: seconds < 0.3 },
    tabpy: "1.02 s",
  });
}

/** /info while a function runs, and while none does. */
async function measureMeanwhile(server: Server, addFigure: AddFigure): Promise<void> {
  const info = async () => {
    const times: number[] = [];
    for (let at = 0; at < 200; at++) {
      const began = performance.now();
      await (await fetch(`http://127.0.0.1:${server.port}/info`)).text();
      times.push(performance.now() - began);
    }
    return median(times);
  };
  await info();
  const idle = await info();
  const running = socketLoad(
    server.port,
    { path: "/query/wait", body: '{"data": [10]}', wanted: "{", isPrefix: true },
    1,
    {
      calls: 1,
    },
  );
  const busy = await info();
  await running;
  addFigure({
    what: "/info while a function runs for 10 s, p50",
    value: busy,
    unit: "ms",
    note: `${idle.toFixed(2)} ms when none runs`,
    target: { text: "as usual", isMet: busy < idle * 1.5 },
  });
}

async function measureUpload(server: Server, isQuick: boolean, addFigure: AddFigure): Promise<void> {
  const megabytes = isQuick ? 128 : 1024;
  const chunk = Buffer.alloc(1024 * 1024);
  const before = residentMb(server.pid);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, residentMb(server.pid));
  }, 20);
  const began = performance.now();
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const put = request(
      {
        port: server.port,
        host: "127.0.0.1",
        method: "PUT",
        path: "/configurations/endpoint_upload_destination/endpoints/large/1/pickle_archive",
        headers: { "Content-Length": megabytes * chunk.length },
      },
      (answer) => {
        answer.resume();
        answer.on("end", () => resolve(answer.statusCode));
      },
    );
    put.on("error", reject);
    Readable.from(
      (function* () {
        for (let at = 0; at < megabytes; at++) yield chunk;
      })(),
    ).pipe(put);
  });
  const seconds = (performance.now() - began) / 1000;
  clearInterval(watch);
  if (status !== 201) throw new Error(`the upload was answered with ${status}`);
  addFigure({
    what: `upload of ${megabytes} MB, resident memory grows by`,
    value: most - before,
    unit: "MB",
    note: `in ${seconds.toFixed(1)} s`,
    target: { text: "< 64 MB", isMet: most - before < 64 },
  });
}

/** A state folder with 500 functions, all of one archive. */
async function measureStart(bench: Bench, state: string): Promise<void> {
  const count = 500;
  rmSync(state, { recursive: true, force: true });
  const archive = spawnSync(bench.python, [
    "-c",
    `import sys; sys.path.insert(0, ${JSON.stringify(programs)})
import cloudpickle
from tabpy.tabpy_tools.custom_query_object import CustomQueryObject
made = CustomQueryObject.__new__(CustomQueryObject)
made.__dict__.update(custom_query=lambda a, b: a + b, description="")
sys.stdout.buffer.write(cloudpickle.dumps(made))`,
  ]).stdout;
  const names = Array.from({ length: count }, (_, at) => `function ${at}`);
  for (const name of names) {
    const home = join(state, "query_objects", name, "1");
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "pickle_archive"), archive);
  }
  const record = `{"description": "a function of many", "type": "model", "version": 1, "dependencies": [], "target": null, "creation_time": 1469505967, "last_modified_time": 1469505967, "schema": null, "is_public": false}`;
  writeFileSync(
    join(state, "state.ini"),
    `[Service Info]\nName = TabPy Server\n\n[Query Objects Service Versions]\n${names.map((name) => `${name} = ${record}\n`).join("")}\n[Query Objects Docstrings]\n${names.map((name) => `${name} = It adds.\n`).join("")}\n[Meta]\nRevision Number = 1\n`,
  );
  const times: number[] = [];
  let loadedSeconds = 0;
  for (let at = 0; at < 5; at++) {
    const began = performance.now();
    const server = await bench.start();
    times.push(server.listeningMs);
    if (at === 4) {
      const answer = await fetch(`http://127.0.0.1:${server.port}/status`, {
        headers: { Prefer: "wait=60" },
      });
      const status = (await answer.json()) as Record<string, { status: string }>;
      const loaded = Object.values(status).filter((one) => one.status === "LoadSuccessful").length;
      if (loaded !== count) throw new Error(`${loaded} of ${count} functions are loaded`);
      loadedSeconds = (performance.now() - began) / 1000;
    }
    await server.stop();
  }
  const listening = median(times);
  bench.found.figures.push({
    what: "exec to listening with 500 functions",
    value: listening,
    unit: "ms",
    note: `all loaded after ${loadedSeconds.toFixed(1)} s`,
    target: { text: "< 150 ms", isMet: listening < 150 },
  });
}
