// 1,000,000 rows of two columns, in a Python without orjson and in one with it.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { createMillionRows } from "./calls.ts";
import { median, socketLoad } from "./load.ts";
import { type FloorModules, startFloor, startServer, withCpu } from "./processes.ts";
import { atMost, type LoadRow } from "./table.ts";

/** After this time a worker has returned the memory that its last call used (programs/worker/freed_memory.py). */
const restMs = 61_000;

export async function measureMillions(bench: Bench): Promise<void> {
  const { python, folder, orjsonVersion, found } = bench;
  const bare = join(folder, "bare");
  const made = spawnSync(python, ["-m", "venv", "--without-pip", bare]);
  if (made.status !== 0) throw new Error(`can't make a virtual environment: ${made.stderr?.toString()}`);
  await measureMillion(bench, join(bare, "bin/python"), "without orjson", [{ loads: "json", dumps: "json" }]);
  if (orjsonVersion === undefined) {
    found.skipped.push("1,000,000 rows x 2, with orjson: this Python has no orjson");
    return;
  }
  await measureMillion(bench, python, "with orjson", [
    { loads: "orjson", dumps: "json" },
    { loads: "orjson", dumps: "orjson" },
  ]);
}

/** Calls of the server and of each floor take turns, so that a noisy moment affects them all. */
async function measureMillion(
  { binary, folder, isQuick, found }: Bench,
  interpreter: string,
  name: string,
  floors: readonly FloorModules[],
): Promise<void> {
  const million = createMillionRows();
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
