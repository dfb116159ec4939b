// Calls of /evaluate: small ones, 10,000 rows, and two scripts that compute concurrently.

import type { Bench } from "./bench.ts";
import { evaluate, small } from "./calls.ts";
import { median, socketLoad } from "./load.ts";
import { residentMb, type Server, startFloor, withCpu } from "./processes.ts";
import { atMost, below } from "./table.ts";

export async function measureSmall(
  { found, isQuick, python, ...bench }: Bench,
  server: Server,
): Promise<void> {
  const run = (connections: number, seconds: number) => bench.run(server, small, connections, seconds);
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

export async function measureRows(
  { found, isQuick, python, orjsonVersion }: Bench,
  server: Server,
): Promise<void> {
  const column = Array.from({ length: 10_000 }, (_, at) => at + 0.25);
  const wanted = JSON.stringify(column.map((x) => x + 1));
  const rows = evaluate({ _arg1: column }, "return [x + 1 for x in _arg1]", wanted);
  const run = (seconds: number) => socketLoad(server.port, rows, 8, { seconds });
  await run(1); // warm up
  const load = await withCpu(server, () => run(isQuick ? 1 : 5));
  // The module with which the workers of this Python read and write large data.
  const module = orjsonVersion === undefined ? "json" : "orjson";
  const floor = startFloor(python);
  const floorPerSecond =
    1 / (await floor.measure(rows, isQuick ? 50 : 200, { loads: module, dumps: module }));
  await floor.stop();
  found.loads.push({
    what: "10,000 rows, 8 connections",
    ...load,
    floorPerSecond,
    floorModules: module,
    tabpy: "99/s",
  });
}

export async function measureBusy({ found, isQuick }: Bench, server: Server): Promise<void> {
  const count = isQuick ? 3_000_000 : 8_000_000;
  const script = "total = 0\nfor x in range(_arg1): total += x\nreturn total";
  const busy = evaluate({ _arg1: count }, script, String((count * (count - 1)) / 2));
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
