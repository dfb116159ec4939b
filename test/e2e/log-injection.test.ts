// Input never makes a line of the log that looks like another record: 5,000 hostile header values, names, scripts and
// printed texts are sent to the executable, and every line of three logs is checked.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { sendRaw } from "../support/network.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const each = 1250;
const forged = "2020-01-01,00:00:00 [CRITICAL] (evil.py:evil:1): forged";
const forgedJson = '{"time": "2020-01-01T00:00:00.000+00:00", "level": "CRITICAL", "message": "forged"}';
/** What some log viewer treats as the end of a line, or a terminal as a command. */
const ends = [
  ..."\n \r \r\n \v \f \0 \b \x1b[2K\r \x1b[1A \x1b]0;x\x07 \x85 \x9b2K \u2028 \u2029 \x1c \x1d \x1e \x7f".split(
    " ",
  ),
  "\n\n",
  "\\n",
  "%0A",
  "\u202e",
  "\n\x1b[31m",
];
const payloads = ends.flatMap((end) => [
  `a${end}${forged}`,
  `${end}${forged}${end}`,
  `"}${end}${forgedJson}`,
]);

const unsafe =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are searched for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

function payload(at: number): string {
  return `${at} ${payloads[at % payloads.length]}`;
}

const config = `[TabPy]
TABPY_LOG_DETAILS = true
[loggers]
keys=root
[handlers]
keys=out,file,json
[formatters]
keys=lines,json
[logger_root]
level=DEBUG
handlers=out,file,json
[handler_out]
class=StreamHandler
args=(sys.stdout,)
formatter=lines
[handler_file]
class=FileHandler
args=('plain.log',)
formatter=lines
[handler_json]
class=FileHandler
args=('json.log',)
formatter=json
[formatter_lines]
format=%(asctime)s [%(levelname)s] (%(filename)s:%(module)s:%(lineno)d): %(message)s
datefmt=%Y-%m-%d,%H:%M:%S
[formatter_json]
class=tabpy.JsonFormatter
`;

test("none of 5,000 hostile header values, names, scripts and printed texts makes a line that looks like another record", async () => {
  await using server = await startServer({ config });
  const { port } = server;
  const inTurn = async (send: (at: number) => Promise<unknown>) => {
    const one = async (first: number) => {
      for (let at = first; at < each; at += 8) await send(at);
    };
    await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(one));
  };
  // Raw bytes: this language's HTTP clients refuse to send them.
  await inTurn((at) => {
    const hostile = Buffer.from(payload(at)).toString("latin1");
    const names = [
      "TabPy-Client",
      "TabPy-User",
      "X-Request-ID",
      "Host",
      "Authorization",
      "Content-Type",
      "Cookie",
    ];
    const name = names[at % names.length];
    const head = `GET /info HTTP/1.1\r\nConnection: close\r\n${name === "Host" ? "" : "Host: localhost\r\n"}`;
    return sendRaw(port, Buffer.from(`${head}${name}: ${hostile}\r\n\r\n`, "latin1").toString("latin1"));
  });
  await inTurn((at) => {
    const hostile = at % 2 === 0 ? encodeURIComponent(payload(at)) : payload(at);
    const paths = ["/query/", "/endpoints/", "/", "/info?x="];
    return sendRaw(
      port,
      `GET ${paths[at % 4]}${hostile} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
  });
  await inTurn((at) => {
    const hostile = payload(at);
    const scripts = [`# ${hostile}\nreturn 1`, `raise Exception(${JSON.stringify(hostile)})`, hostile];
    return server.evaluate(scripts[at % 3] ?? "");
  });
  await inTurn((at) => {
    const printed = JSON.stringify(payload(at));
    const ways = [
      `print(_arg1)`,
      `import sys\nsys.stderr.write(_arg1)`,
      `import os\nos.write(1, _arg1.encode())`,
      `import os\nos.write(2, b'\\n' + _arg1.encode('utf-16', 'replace'))`,
    ];
    return server.evaluate(`${ways[at % 4]}\nreturn 1`, { _arg1: JSON.parse(printed) });
  });
  await server.evaluate("print('the last words')");
  await server.waitForLog("the last words");
  const read = (name: string) => readFileSync(server.path(name), "utf8");
  await until("all in the files", () =>
    ["plain.log", "json.log"].every((name) => /the last words/.test(read(name))),
  );

  for (const log of [server.log, read("plain.log")]) {
    expect(log).toContain("forged");
    expect(log).not.toMatch(unsafe);
    const lines = log.split("\n");
    expect(lines.filter((one) => /^\d{4}-/.test(one) && /\[CRITICAL\] \(/.test(one.slice(0, 40)))).toEqual(
      [],
    );
    const strangers = lines.filter(
      (one) => !/^(\d{4}-\d\d-\d\d,\d\d:\d\d:\d\d \[[A-Z]+\] \([\w-]+\.\w+:[\w-]+:0\): | {4}|$)/.test(one),
    );
    expect(strangers).toEqual([]);
    expect(lines.filter((one) => one.startsWith("2020-")).length).toBe(0);
  }
  const records = read("json.log").trimEnd().split("\n");
  expect(records.length).toBeGreaterThan(2 * 4 * each);
  for (const one of records) {
    const { level, logger, file } = JSON.parse(one);
    expect(["DEBUG", "INFO", "WARNING", "ERROR"]).toContain(level);
    expect(logger).toMatch(/^tabpy\.\w+$/);
    expect(file).toMatch(/^[\w-]+\.(ts|py)$/);
  }
}, 120_000);
