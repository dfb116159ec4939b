// Compares two executables: the same loads in turns, A B A B, because a machine's speed changes from minute to
// minute. The medians of the turns are compared.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Bench, createBench } from "./bench.ts";
import { createMillionRows, query, queryInScript, small } from "./calls.ts";
import { deployFunctions } from "./deployed.ts";
import { type Call, median, socketLoad } from "./load.ts";
import { familyOf, residentMb, type Server } from "./processes.ts";

const connections = 8;

interface Side {
  readonly bench: Bench;
  readonly server: Server;
}

/** Compare the executable of `bench` with `other`; `only` selects loads by a part of their names. */
export async function measureAgainst(bench: Bench, other: string, only: string): Promise<void> {
  const benches = [bench.binary, other].map((binary, at) => {
    const folder = join(bench.folder, String(at));
    mkdirSync(folder);
    return createBench(binary, bench.python, folder, bench.isQuick);
  });
  await compareMemory(bench, benches, only);
  const sides: Side[] = [];
  for (const one of benches) {
    const server = await one.start();
    deployFunctions(bench.python, server);
    sides.push({ bench: one, server });
  }
  const million = createMillionRows();
  const loads: [what: string, unit: string, measure: (side: Side) => Promise<number>][] = [
    [`small calls, ${connections} connections`, "calls/s", (side) => rate(side, small)],
    [`query, ${connections} connections`, "calls/s", (side) => rate(side, query)],
    [`tabpy.query, ${connections} connections`, "calls/s", (side) => rate(side, queryInScript)],
    [
      "1,000,000 rows x 2",
      "ms",
      async ({ server }) => (await socketLoad(server.port, million, 1, { calls: 1 })).p50Ms,
    ],
    ["memory after the calls, server", "MB", async ({ server }) => residentMb(server.pid)],
  ];
  for (const [what, unit, measure] of loads.filter(([what]) => what.includes(only))) {
    for (const side of sides) await measure(side); // warm up
    add(bench, what, unit, await inTurns(sides, bench.isQuick ? 3 : 9, measure));
  }
  for (const { server } of sides) await server.stop();
}

/** Resident memory of the server and of a worker, a second after the first call. */
async function compareMemory(bench: Bench, benches: readonly Bench[], only: string): Promise<void> {
  if (!"memory, idle".includes(only)) return;
  const workers: number[][] = [];
  const servers = await inTurns(benches, bench.isQuick ? 1 : 3, async (one) => {
    const server = await one.start();
    await socketLoad(server.port, small, 1, { calls: 1 });
    await Bun.sleep(1000);
    const at = benches.indexOf(one);
    workers[at] = [...(workers[at] ?? []), ...familyOf(server.pid).workers.map(residentMb)];
    const resident = residentMb(server.pid);
    await server.stop();
    return resident;
  });
  add(bench, "memory, idle, server", "MB", servers);
  add(bench, "memory, idle, worker", "MB", workers);
}

async function rate({ bench, server }: Side, call: Call): Promise<number> {
  const load = await bench.run(server, call, connections, bench.isQuick ? 1 : 3);
  return load.calls / load.seconds;
}

/** The values of each side, measured A B A B. */
async function inTurns<T>(
  sides: readonly T[],
  turns: number,
  measure: (side: T) => Promise<number>,
): Promise<number[][]> {
  const values = sides.map((): number[] => []);
  for (let turn = 0; turn < turns; turn++) {
    for (const [at, side] of sides.entries()) values[at]?.push(await measure(side));
  }
  return values;
}

function add(bench: Bench, what: string, unit: string, values: readonly number[][]): void {
  const [own = Number.NaN, other = Number.NaN] = values.map(median);
  bench.found.comparisons.push({ what, unit, own, other });
}
