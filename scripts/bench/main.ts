// The benchmark: small calls, large data, two busy scripts, start and memory, each compared with a bare Python loop
// (floor.py), with a target, and with TabPy 2.13 on two cores. Run it with scripts/bench/run.

import { existsSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { measureAgainst } from "./against.ts";
import { measureAuthentication } from "./authentication.ts";
import { createBench, printedBy } from "./bench.ts";
import { measureDeployed } from "./deployed.ts";
import { measureBusy, measureRows, measureSmall } from "./evaluate.ts";
import { measureLogCost, measureLogPressure } from "./logging.ts";
import { measureMillions } from "./million-rows.ts";
import { type Server, stopAll } from "./processes.ts";
import { measureStarts } from "./start.ts";
import { type FigureRow, formatFound } from "./table.ts";

const usage = `Usage: scripts/bench/run [--quick] [--only TEXT] [--json FILE] [--against FILE]

--quick         measure for a shorter time and less often
--only TEXT     run only the parts with TEXT in their names
--json FILE     write the results to FILE as JSON
--against FILE  compare with another tabpy executable, for example of an earlier build: the same loads in turns`;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    only: { type: "string", default: "" },
    against: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(usage);
  process.exit(0);
}
const binary = resolve(process.env.TABPY_TEST_BINARY || join(import.meta.dir, "../../dist/tabpy"));
// The interpreter that `python3` runs, not a shim that starts it.
const python =
  process.env.TABPY_TEST_PYTHON || (printedBy("python3", "import sys; print(sys.executable)") ?? "python3");
const folder = temporaryFolder();
const bench = createBench(binary, python, folder.path, options.quick);
const { found } = bench;

/** One part of the benchmark: a failure is recorded, and the other parts still run. */
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
  const server = await bench.start();
  await run(server);
  await server.stop();
}

async function runParts(): Promise<void> {
  await part("start and memory", () => measureStarts(bench));
  await part("small calls", () => withServer((server) => measureSmall(bench, server)));
  await part("cost of the log", () => measureLogCost(bench));
  await part("log blocked", () => measureLogPressure(bench));
  await part("10,000 rows", () => withServer((server) => measureRows(bench, server)));
  await part("two CPU-bound scripts", () => withServer((server) => measureBusy(bench, server)));
  await part("1,000,000 rows", () => measureMillions(bench));
  await part("deployed functions", () => measureDeployed(bench));
  await part("authentication and HTTPS", () => measureAuthentication(bench));
  found.figures.sort(byMemoryLast);
}

function byMemoryLast(a: FigureRow, b: FigureRow): number {
  return Number(a.unit === "MB") - Number(b.unit === "MB");
}

async function compareWith(other: string): Promise<void> {
  try {
    await measureAgainst(bench, other, options.only);
  } catch (error) {
    found.failures.push(`against ${other}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function cleanUp(): Promise<void> {
  await stopAll();
  folder[Symbol.dispose]();
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  process.on(signal, () => cleanUp().finally(() => process.exit(code)));

const other = options.against === undefined ? undefined : resolve(options.against);
const missing = [binary, other].find((file) => file !== undefined && !existsSync(file));
if (missing !== undefined) found.failures.push(`no executable at "${missing}"`);
else {
  const setting = {
    python: printedBy(python, "import sys; print('%d.%d.%d' % sys.version_info[:3])") ?? "unknown",
    orjson: bench.orjsonVersion ?? "none",
    cores: cpus().length,
    smallCallsBy: bench.hasWrk ? "wrk" : "own sockets",
  };
  console.log(
    `Python ${setting.python}, orjson: ${setting.orjson}, ${setting.cores} cores, log level WARNING, small calls by ${setting.smallCallsBy}, large ones by own sockets\n`,
  );
  await (other === undefined ? runParts() : compareWith(other));
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ ...setting, ...found }, undefined, 2)}\n`);
}
console.log(formatFound(found));
await cleanUp();
process.exit(found.failures.length === 0 ? 0 : 1);
