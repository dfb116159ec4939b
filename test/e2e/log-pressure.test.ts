// A log that can't be written delays no request: a file system that is full, and a reader of standard output that has
// stopped, while scripts run. The benchmark (scripts/bench/logging.ts) measures how fast they run meanwhile.

import { expect, test } from "bun:test";
import { readFileSync, rmSync, symlinkSync } from "node:fs";
import { startServer } from "../support/server.ts";
import { mountSmallDisk } from "../support/small-disk.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

/** A file whose disk can be filled; /dev/full where this user may not mount a disk. */
function fullableLog() {
  const disk = mountSmallDisk("32m");
  if (disk !== undefined) return { ...disk, log: disk.file("full.log") };
  const folder = temporaryFolder();
  const log = folder.file("full.log");
  symlinkSync("/dev/full", log);
  return { ...folder, log, fill: () => {}, empty: () => rmSync(log) };
}

const sections = (path: string) => `[TabPy]
[loggers]
keys=root
[handlers]
keys=out,full
[formatters]
keys=f
[logger_root]
level=INFO
handlers=out,full
[handler_out]
class=StreamHandler
args=(sys.stdout,)
formatter=f
[handler_full]
class=FileHandler
args=('${path}',)
formatter=f
[formatter_f]
format=%(asctime)s [%(levelname)s] (%(filename)s:%(module)s:%(lineno)d): %(message)s
`;

test("a full disk and a stopped reader of standard output fail no request, and both logs report how many lines they lost", async () => {
  using disk = fullableLog();
  await using server = await startServer({ config: sections(disk.log) });
  disk.fill();
  server.process.stdout?.pause();
  // More than is kept for a slow reader: 8 million characters, as many in a write, and the capacity of pipes.
  const script = `# ${"x".repeat(8000)}\nreturn _arg1`;
  const failures: unknown[] = [];
  let sent = 0;
  const client = async () => {
    while (sent < 3500) {
      const number = sent++;
      const answer = await server.evaluate(script, { _arg1: number }).catch((error: unknown) => error);
      const isRight = answer instanceof Object && "json" in answer && answer.json === number;
      if (!isRight) failures.push(answer);
    }
  };
  await Promise.all([client(), client(), client(), client()]);
  expect(failures).toEqual([]);
  // Compressed answers need a thread, as the log does.
  const page = await server.request("/", { headers: { "Accept-Encoding": "gzip" } });
  expect([page.status, page.headers.get("Content-Encoding")]).toEqual([200, "gzip"]);

  disk.empty();
  if (server.process.stdout?.isPaused()) server.process.stdout.resume();
  process.kill(server.pid, "SIGUSR1");
  await server.waitForLog(/\d+ lines were lost here: its reader is too slow/);
  const file = () => readFileSync(disk.log, "utf8");
  await until(
    () => `the count in the file:\n${file().slice(-2000)}`,
    () => /\d+ lines were lost here: ENOSPC/.test(file()),
  );
  await server.waitForLog(/\[WARNING\] \(logging\.ts:logging:0\): Cannot write the log .*full\.log: ENOSPC/);
  // A partial line that was written when the disk was full isn't followed by another record on its line.
  const strangers = file()
    .split("\n")
    .filter((one) => /.\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[/.test(one));
  expect(strangers).toEqual([]);
}, 120_000);
