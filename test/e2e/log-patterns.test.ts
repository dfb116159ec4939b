// Patterns by which people read TabPy's log find the lines of a real run: grep and awk as they are, and the expressions of
// fluentd, logstash, Datadog, Loki, Splunk and fail2ban, whose names for common parts are written out below.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { createAuthority } from "../support/certificates.ts";
import { sendRaw } from "../support/network.ts";
import { passwordHash } from "../support/password-hash.ts";
import { restart, startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { add, deploy, query } from "./archives.ts";

const testMs = 40_000;
const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1"),
);
const access = /\d{3} (GET|POST) \S+ \([0-9.:a-f]+\) [0-9.]+ms/;

const folder = temporaryFolder();
const file = folder.file("tabpy_log.log");
let log = "";

/** One run with a deployed function, a password file and TABPY_LOG_DETAILS; its log is `log` and `file`. */
beforeAll(async () => {
  writeFileSync(folder.file("passwords"), `Maria ${passwordHash("maria", "secret")}\n`, { mode: 0o600 });
  const options = {
    env: { TABPY_PWD_FILE: folder.file("passwords"), TABPY_LOG_DETAILS: "true", TABPY_WORKERS: "1" },
    init: { headers: { Authorization: `Basic ${btoa("maria:secret")}` } },
  };
  const first = await startServer(options);
  await deploy(first, "sum", add);
  const server = await restart(first, options);
  try {
    const tableau = { ...options.init.headers, "TabPy-Client": "Tableau Desktop", "TabPy-User": "anna" };
    await server.evaluate("print('seen')\nreturn _arg1", { _arg1: [1] }, { headers: tableau });
    await server.evaluate("return 1 / 0");
    await server.evaluate("");
    await query(server, "sum", { a: 1, b: 2 });
    await server.request("/nowhere?a=b");
    await server.request("/info", { headers: { Authorization: `Basic ${btoa("maria:wrong")}` } });
    await until("the last lines", () =>
      readFileSync(server.path("state/tabpy_log.log"), "utf8").includes("401 GET /info"),
    );
    log = readFileSync(server.path("state/tabpy_log.log"), "utf8");
    writeFileSync(file, log);
  } finally {
    await server.stop();
  }
}, 60_000);

afterAll(() => folder[Symbol.dispose]());

// Before: no pattern for a request found one, as its line was `200 POST /evaluate 3.76 ms 3 bytes`.
const commands: [name: string, command: string[], output: RegExp][] = [
  [
    "grep of the requests that are not a success",
    ["grep", "-cE", String.raw` [45][0-9]{2} (GET|POST) [^ ]+ \([0-9.:a-f]+\) [0-9.]+ms`],
    /^4$/,
  ],
  [
    "awk by fields: status, method and path of failed requests",
    ["awk", "$5 ~ /^(GET|POST)$/ && $4 ~ /^[45]/ { print $4, $5, $6, $7 }"],
    /^500 POST \/evaluate \(127\.0\.0\.1\)\n400 POST \/evaluate \(127\.0\.0\.1\)\n404 GET \/nowhere\?a=b \(127\.0\.0\.1\)\n401 GET \/info \(127\.0\.0\.1\)$/,
  ],
  [
    "awk of the slowest request",
    ["awk", '$8 ~ /^[0-9.]+ms/ { sub(/ms.*/, "", $8); if ($8 + 0 > most) most = $8 + 0 } END { print most }'],
    /^\d+(\.\d+)?$/,
  ],
  ["grep of errors by level", ["grep", "-c", String.raw`\[ERROR\] .*Responding with status=`], /^3$/],
  ["grep of scripts", ["grep", "-A", "1", "function to evaluate="], /\(tabpy, _arg1\):\n +print\('seen'\)\n/],
];
for (const [name, [program = "", ...args], output] of commands) {
  test(name, () => {
    const ran = spawnSync(program, [...args, file], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
    });
    expect([ran.status, ran.stderr]).toEqual([0, ""]);
    expect(ran.stdout.trimEnd()).toMatch(output);
  });
}

/** What grok, Datadog and fail2ban call their parts. */
const parts: Record<string, string> = {
  IPORHOST: String.raw`(?:[0-9a-fA-F:.]+|[\w.-]+)`,
  LOGLEVEL: "(?:DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL)",
  NUMBER: String.raw`[+-]?\d+(?:\.\d+)?`,
  INT: String.raw`[+-]?\d+`,
  WORD: String.raw`\b\w+\b`,
  NOTSPACE: String.raw`\S+`,
  DATA: ".*?",
  GREEDYDATA: ".*",
  TABPYDATE: String.raw`\d{4}-\d\d-\d\d,\d\d:\d\d:\d\d`,
};
/** A grok pattern as an expression. */
const grok = (pattern: string) =>
  pattern.replace(/%\{(\w+)(?::(\w+))?(?::\w+)?\}/g, (_, part, name) =>
    name === undefined ? `(?:${parts[part]})` : `(?<${name}>${parts[part]})`,
  );
const fail2ban = (pattern: string) =>
  pattern.replace("<HOST>", String.raw`(?:::f{4,6}:)?(?<host>[\w\-.:]*\w)`);
const evaluated = { status: "200", method: "POST", path: "/evaluate", address: "127.0.0.1" };

const patterns: [name: string, expression: string, groups: Record<string, unknown>][] = [
  [
    "fluentd's parser of a line",
    String.raw`^(?<time>[^ ]+) \[(?<level>[A-Z]+)\] \((?<file>[^:]+):(?<module>[^:]+):(?<lineno>\d+)\): (?<message>200 POST \/query.*)$`,
    { level: "INFO", message: expect.stringMatching(access) },
  ],
  [
    "fluentd's parser of a request",
    String.raw`(?<status>\d{3}) (?<method>[A-Z]+) (?<path>[^ ]+) \((?<address>[^)]+)\) (?<duration>\d+\.\d+)ms`,
    { ...evaluated, duration: expect.stringMatching(/^\d+\.\d\d$/) },
  ],
  [
    "logstash's grok of a request",
    grok(
      String.raw`^%{TABPYDATE:time} \[%{LOGLEVEL:level}\] \(%{DATA:source}\): %{INT:status:int} %{WORD:method} %{NOTSPACE:path} \(%{IPORHOST:address}\) %{NUMBER:duration:float}ms`,
    ),
    { ...evaluated, level: "INFO" },
  ],
  [
    "Datadog's grok of a whole line",
    grok(
      String.raw`^%{TABPYDATE:time}\s+\[%{WORD:level}\]\s+\(%{DATA}\):\s+%{INT:status}\s+%{WORD:method}\s+%{NOTSPACE:path}\s+\(%{IPORHOST:address}\)\s+%{NUMBER:duration}ms%{GREEDYDATA}$`,
    ),
    { ...evaluated, level: "INFO" },
  ],
  [
    "Loki's regexp stage",
    String.raw`\): (?P<status>\d{3}) (?P<method>GET|HEAD|POST|PUT|DELETE|OPTIONS) (?P<path>\S+) \((?P<address>\S*)\) (?P<duration>[0-9]+\.[0-9]+ms)`,
    { ...evaluated, duration: expect.stringMatching(/^[\d.]+ms$/) },
  ],
  [
    "Splunk's rex",
    String.raw`(?<status>[1-5]\d\d)\s(?<method>\w+)\s(?<path>[^\s\?]+)\S*\s\((?<address>[\d\.]+|[\da-f:]+)\)\s(?<ms>[\d\.]+)ms`,
    evaluated,
  ],
  [
    "fail2ban's filter of refused requests by Tornado's line",
    fail2ban(String.raw`^.*: 401 \S+ \S+ \(<HOST>\) [\d.]+ms`),
    { host: "127.0.0.1" },
  ],
  [
    "fail2ban's filter of refused logins",
    fail2ban(String.raw`\[WARNING\] \(audit\S*\): Refused \S+ \S+ from <HOST>: wrong password`),
    { host: "127.0.0.1" },
  ],
  [
    "the caller of a request",
    `Call ID: (?P<id>[^,]+), Caller: (?P<address>[^,]+), Method: (?P<method>[^,]+), URL: (?P<url>[^,]+), Client: (?P<client>[^,]+), Tableau user: (?P<tableau>[^,]+), TabPy user: (?P<user>[^,]+), <<call ID: (?P<same>[^>]+)>>$`,
    { address: "127.0.0.1", method: "POST", client: "Tableau Desktop", tableau: "anna", user: "maria" },
  ],
  [
    "what is answered to a failed script",
    String.raw`Responding with status=(?<status>\d+), message="(?<message>[^"]*)", info="(?<info>[^"]*)"`,
    { status: "500", message: "Error processing script", info: "ZeroDivisionError : division by zero" },
  ],
  [
    "functions that are loaded at the start",
    String.raw`Load endpoint: (?<name>\S+), version: (?<version>\d+), type: (?<type>\w+)$`,
    { name: "sum", version: "1", type: "model" },
  ],
  [
    "settings",
    String.raw`\[DEBUG\] \(.*\): Parameter (?<name>TABPY_WORKERS) set to "(?<value>[^"]*)" from (?<origin>.*)$`,
    { value: "1", origin: "environment" },
  ],
  [
    "the user beside what is logged about a request",
    String.raw`200 POST /evaluate \S+ [\d.]+ms (?<bytes>\d+) bytes user (?<user>\S+), <<call ID: (?<id>[^>]+)>>$`,
    { bytes: "1", user: "maria" },
  ],
  [
    "the port",
    String.raw`Web service listening on port (?<port>\d+)$`,
    { port: expect.stringMatching(/^\d+$/) },
  ],
];
for (const [name, expression, groups] of patterns) {
  test(`${name} finds its line`, () => {
    // Python and RE2 write (?P<name>.
    const found = new RegExp(expression.replaceAll("(?P<", "(?<"), "m").exec(log);
    expect(found?.groups ?? log).toMatchObject(groups);
  });
}

test("a pattern for the start of a record splits the log into records, each with a level", () => {
  const records = log.trimEnd().split(/\n(?=\d{4}-\d{2}-\d{2},\d{2}:\d{2}:\d{2} \[)/);
  const starts = log.match(
    /^\d{4}-\d{2}-\d{2},\d{2}:\d{2}:\d{2} \[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\] \(/gm,
  );
  expect(records.length).toBe(starts?.length ?? 0);
  expect(records.length).toBeGreaterThan(50);
});

test.skipIf(!hasIpv6)(
  "the line of a request has the address of its connection: IPv4 and IPv6 on a server that listens on both",
  async () => {
    await using server = await startServer({ env: { TABPY_HOST: "::" }, args: ["--disable-auth-warning"] });
    const line = (path: string, address: string) =>
      new RegExp(String.raw`: 200 GET ${path} \(${address}\) \d+\.\d\dms \d+ bytes$`, "m");
    await server.request("/info?v4", {
      headers: { "X-Forwarded-For": "192.0.2.1", Forwarded: "for=192.0.2.1" },
    });
    await server.waitForLog(line(String.raw`/info\?v4`, String.raw`127\.0\.0\.1`));
    expect((await fetch(`http://[::1]:${server.port}/info?v6`)).status).toBe(200);
    await server.waitForLog(line(String.raw`/info\?v6`, "::1"));
    expect(server.log).not.toContain("192.0.2.1");
  },
  testMs,
);

test(
  "the line of a request has the address of its connection: over HTTPS, and of a client that has gone",
  async () => {
    using authority = createAuthority();
    const { certificateFile, keyFile } = authority.make("server");
    const env = {
      TABPY_TRANSFER_PROTOCOL: "https",
      TABPY_CERTIFICATE_FILE: certificateFile,
      TABPY_KEY_FILE: keyFile,
    };
    const init = { tls: { ca: readFileSync(authority.caFile, "utf8") } };
    await using secure = await startServer({ env, init, scheme: "https" });
    await secure.waitForLog(/: 200 POST \/evaluate \(127\.0\.0\.1\) \d+\.\d\dms 1 bytes$/m);

    await using server = await startServer();
    const body = JSON.stringify({ data: {}, script: "import time; time.sleep(60)" });
    const head = `POST /evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`;
    await sendRaw(server.port, head + body, (socket) => socket.end());
    await server.waitForLog(/: client gone POST \/evaluate \(127\.0\.0\.1\) \d+\.\d\dms 0 bytes$/m);
  },
  testMs,
);
