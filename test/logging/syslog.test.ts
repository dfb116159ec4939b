// SysLogHandler with real sockets: what Python's sends, and what ours sends, to the same receiver.

import { afterAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseIni } from "../../src/ini.ts";
import { Logging } from "../../src/logging/logging.ts";
import { readLogging } from "../../src/logging/config/sections.ts";
import { folderUntil } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const python = process.env.TABPY_TEST_PYTHON ?? "python3";
const folder = folderUntil(afterAll);

interface Receiver extends AsyncDisposable {
  readonly port: number;
  readonly messages: readonly string[];
}

async function startReceiver(kind: string, path?: string): Promise<Receiver> {
  const script = join(import.meta.dir, "syslog-receiver.py");
  const child: ChildProcess = spawn(python, [script, kind, ...(path === undefined ? [] : [path])], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const messages: string[] = [];
  let port: number | undefined;
  if (child.stdout === null) throw new Error("no pipe");
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (port === undefined) port = Number(line);
    else messages.push(JSON.parse(line));
  });
  await until("the receiver", () => port !== undefined);
  return {
    port: port ?? 0,
    messages,
    [Symbol.asyncDispose]: async () => {
      const ended = new Promise((resolve) => child.on("exit", resolve));
      child.stdin?.end();
      await ended;
    },
  };
}

function configOf(args: string): string {
  return `[loggers]
keys=root
[handlers]
keys=h
[formatters]
keys=f
[logger_root]
level=DEBUG
handlers=h
[handler_h]
class=handlers.SysLogHandler
args=${args}
formatter=f
[formatter_f]
format=tabpy[7]: %(levelname)s %(message)s
`;
}

function open(config: string, name = python): Logging {
  return new Logging({
    spec: readLogging(parseIni(config), folder),
    isDetailed: false,
    env: {},
    python: () => [name],
  });
}

const methods = ["debug", "info", "warning", "error", "critical"] as const;
const text = "Größe 日本 of a message";

async function logWithOurs(config: string): Promise<void> {
  const logging = open(config);
  for (const level of methods) logging.logger("a.ts")[level](`${text}\nand more`);
  await logging.stop();
}

function logWithPython(config: string): void {
  const path = join(folder, "python.conf");
  writeFileSync(path, config);
  const script = `
import logging.config, sys
logging.config.fileConfig(sys.argv[1])
for level in (10, 20, 30, 40, 50): logging.log(level, ${JSON.stringify(`${text}\n    and more`)})
logging.shutdown()`;
  const ran = spawnSync(python, ["-X", "utf8", "-c", script, path], { encoding: "utf8" });
  if (ran.status !== 0 || ran.stderr !== "") throw new Error(ran.stderr);
}

describe("SysLogHandler sends what Python's sends", () => {
  const unix = (name: string) => join(folder, name);
  const table: [name: string, kind: string, path: string | undefined, args: (port: number) => string][] = [
    ["by UDP", "udp", undefined, (port) => `(('127.0.0.1', ${port}),)`],
    [
      "by UDP to a facility",
      "udp",
      undefined,
      (port) => `(('127.0.0.1', ${port}), handlers.SysLogHandler.LOG_LOCAL3)`,
    ],
    ["by UDP to a facility by name", "udp", undefined, (port) => `(('127.0.0.1', ${port}), 'daemon')`],
    ["by TCP", "tcp", undefined, (port) => `(('127.0.0.1', ${port}), 1, 1)`],
    ["to a datagram socket", "unix-datagram", unix("d"), () => `('${unix("d")}',)`],
    ["to a stream socket", "unix-stream", unix("s"), () => `('${unix("s")}', 16)`],
    ["to a stream socket that is configured", "unix-stream", unix("t"), () => `('${unix("t")}', 16, 1)`],
  ];
  for (const [name, kind, path, args] of table) {
    test(name, async () => {
      await using receiver = await startReceiver(kind, path);
      const config = configOf(args(receiver.port));
      logWithPython(config);
      await until("what Python sends", () => receiver.messages.length === 5);
      await logWithOurs(config);
      await until("what ours sends", () => receiver.messages.length === 10);
      expect(receiver.messages.slice(5)).toEqual(receiver.messages.slice(0, 5));
      expect(receiver.messages[0]).toStartWith("<");
    });
  }
});

describe("SysLogHandler", () => {
  const both = (path: string) =>
    configOf(`('${path}',)`)
      .replace("keys=h\n", "keys=h,g\n")
      .replace("handlers=h\n", "handlers=h,g\n")
      .replace(
        "[formatters]",
        `[handler_g]\nclass=FileHandler\nargs=('${join(folder, "other.log")}', 'w')\n\n[formatters]`,
      );

  test("reports in the other logs that nobody listens, and sends the messages later", async () => {
    const path = join(folder, "late");
    const logging = open(both(path));
    const log = logging.logger("a.ts");
    log.info("early");
    const other = () => Bun.file(join(folder, "other.log")).text();
    await until("the report in the other log", async () =>
      (await other()).includes(`Cannot write the log syslog at ${path}: `),
    );
    await using receiver = await startReceiver("unix-datagram", path);
    await until("both messages", () => {
      if (receiver.messages.length === 1) log.info("late");
      return receiver.messages.length > 1;
    });
    expect(receiver.messages[0]).toContain("early");
    expect(receiver.messages[1]).toContain("late");
    await logging.stop();
  }, 20_000);

  test("leaves out a message that is too long, and reports it", async () => {
    const path = join(folder, "long");
    await using receiver = await startReceiver("unix-datagram", path);
    const logging = open(both(path));
    logging.logger("a.ts").info("x".repeat(1_000_000));
    logging.logger("a.ts").info("short");
    await until("the count", () => receiver.messages.length === 2);
    expect(receiver.messages.join()).toContain("1 lines were lost here: ");
    expect(receiver.messages.join()).toContain("INFO short");
    await logging.stop();
  }, 20_000);

  test("reports why it can't send to a socket of this machine when there is no Python", async () => {
    const logging = open(both(join(folder, "nobody")), "/no/such/python");
    logging.logger("a.ts").info("lost");
    const other = () => Bun.file(join(folder, "other.log")).text();
    await until("the report in the other log", async () =>
      (await other()).includes("the process that sends them ended"),
    );
    await logging.stop();
  });
});
