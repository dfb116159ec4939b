// What every part of the benchmark gets: the executable, the Python, a folder, the kind of run, and the object that
// collects the results.

import { spawnSync } from "node:child_process";
import { type Call, type Load, socketLoad, wrkLoad } from "./load.ts";
import { type Server, type ServerOptions, startServer } from "./processes.ts";
import type { Found } from "./table.ts";

export interface Bench {
  readonly binary: string;
  readonly python: string;
  /** Undefined for a Python without orjson. */
  readonly orjsonVersion: string | undefined;
  readonly folder: string;
  /** Whether to measure for a shorter time and less often. */
  readonly isQuick: boolean;
  /** Whether small calls are sent by wrk, otherwise by sockets of this process. */
  readonly hasWrk: boolean;
  readonly found: Found;
  /** Start the executable with a state folder in `folder`. */
  start(options?: ServerOptions): Promise<Server>;
  /** A load of small calls. */
  run(server: Server, call: Call, connections: number, seconds: number): Promise<Load>;
}

export function createBench(binary: string, python: string, folder: string, isQuick: boolean): Bench {
  const hasWrk = spawnSync("wrk", ["-v"]).error === undefined;
  return {
    binary,
    python,
    orjsonVersion: printedBy(python, "import orjson; print(orjson.__version__)"),
    folder,
    isQuick,
    hasWrk,
    found: { loads: [], figures: [], comparisons: [], failures: [], skipped: [] },
    start: (options) => startServer(binary, python, folder, options),
    run: (server, call, connections, seconds) =>
      hasWrk
        ? wrkLoad(server.port, call, connections, seconds, folder)
        : socketLoad(server.port, call, connections, { seconds }),
  };
}

/** What a Python program prints; undefined when it fails. */
export function printedBy(interpreter: string, program: string): string | undefined {
  const ran = spawnSync(interpreter, ["-c", program]);
  return ran.status === 0 ? ran.stdout.toString().trim() : undefined;
}
