// A logger for tests of parts that take one: every record at once as a line in TabPy's default format.

import { defaultFormat } from "../../src/logging/config/sections.ts";
import { createFormatter } from "../../src/logging/format/formatter.ts";
import { type Level, levels } from "../../src/logging/levels.ts";
import { createTreeLogger, deliver, type Emit, type Logger, type Routes } from "../../src/logging/logger.ts";

/** Writes records of `level` and above, without line end. `file` is the source file that lines name. */
export function createLogger(write: (line: string) => void, level: Level, file: string): Logger {
  const format = createFormatter(defaultFormat);
  const emits: readonly Emit[] = [(record) => write(format(record))];
  const wanted = Object.entries(levels).filter(([, number]) => number >= levels[level]);
  const routes: Routes = Object.fromEntries(wanted.map(([name]) => [name, emits]));
  const process = { pid: 1, startedMs: Date.now() };
  return createTreeLogger(
    { routesOf: () => routes, isDetailed: false, now: Date.now, take: (record) => deliver(record, process) },
    file,
  );
}
