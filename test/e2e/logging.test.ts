// The log of the executable: its lines, its files, what a config file and TABPY_LOG_DETAILS change, its end.
// Full disks and slow readers: log-pressure.test.ts. Hostile input: log-injection.test.ts.

import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { binary, cleanEnvironment, run } from "../support/binary.ts";
import { tabpySections } from "../support/logging-sections.ts";
import { freePort } from "../support/network.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const python = process.env.TABPY_TEST_PYTHON ?? "python3";
const testMs = 30_000;
const line = (level: string, file: string, text: string) =>
  new RegExp(
    String.raw`^\d{4}-\d\d-\d\d,\d\d:\d\d:\d\d \[${level}\] \(${file}\.ts:${file}:\d+\): ${text}$`,
    "m",
  );

function text(server: TestServer, name: string): string {
  return existsSync(server.path(name)) ? readFileSync(server.path(name), "utf8") : "";
}

test(
  "a demo.conf with a port and rootHandler at INFO gives TabPy's lines",
  async () => {
    const port = await freePort();
    using folder = temporaryFolder();
    const demo = folder.file("demo.conf");
    writeFileSync(demo, `[TabPy]\nTABPY_PORT = ${port}\n${tabpySections("INFO", "tabpy_log.log")}`);
    const env = { TABPY_HOST: "127.0.0.1", TABPY_PYTHON: python, TABPY_STATE_PATH: folder.file("state") };
    const server = run(["--config", demo], env, { cwd: folder.path });
    const written = () => {
      const path = folder.file("tabpy_log.log");
      return existsSync(path) ? readFileSync(path, "utf8") : "";
    };
    const wanted = line("INFO", "serve", `Web service listening on port ${port}`);
    await until("the line in the file", () => wanted.test(written()));
    process.kill(pidOf(demo), "SIGTERM");
    const { code, stdout } = await server;
    expect(code).toBe(0);
    expect(stdout).toMatch(wanted);
    expect(stdout).toBe(written());
  },
  testMs,
);

test(
  "without logging sections the console has INFO, and tabpy_log.log in the state folder the settings too",
  async () => {
    await using server = await startServer({ env: { TABPY_WORKERS: "1" } });
    const wanted = [
      /Parameter TABPY_WORKERS set to "1" from environment$/m,
      /Parameter TABPY_QUEUE_SIZE set to "2000" from default$/m,
      /Parameter TABPY_PWD_FILE is not set$/m,
    ];
    const file = () => text(server, "state/tabpy_log.log");
    await until("the access line", () => file().includes("200 POST /evaluate"));
    for (const one of wanted) {
      expect(file()).toMatch(one);
      expect(server.log).not.toMatch(one);
    }
    await server.waitForLog(line("INFO", "serve", `Web service listening on port ${server.port}`));
  },
  testMs,
);

test(
  "each request has one line with status, method, path, caller, time and bytes; errors have TabPy's line",
  async () => {
    await using server = await startServer();
    await server.evaluate("return 'x' * 98");
    await server.evaluate("return 1 / 0");
    await server.evaluate("");
    await server.waitForLog(
      line("INFO", "frame", String.raw`200 POST /evaluate \(127\.0\.0\.1\) \d+\.\d\dms 100 bytes`),
    );
    await server.waitForLog(
      line("INFO", "frame", String.raw`500 POST /evaluate \(127\.0\.0\.1\) \d+\.\d\dms \d+ bytes`),
    );
    const responding = (status: number, message: string, info: string) =>
      line("ERROR", "app", `Responding with status=${status}, message="${message}", info="${info}"`);
    await server.waitForLog(
      responding(500, "Error processing script", "ZeroDivisionError : division by zero"),
    );
    await server.waitForLog(responding(400, String.raw`Script is empty\.`, "{}"));
    await server.waitForLog(
      /\[INFO\] \(evaluate\.ts:evaluate:0\): function to evaluate=def _user_script\(tabpy\):\n {5}return 1 \/ 0\n/,
    );
  },
  testMs,
);

test(
  "the function that ended its worker or passed its time limit is in the log",
  async () => {
    await using server = await startServer({ env: { TABPY_EVALUATE_TIMEOUT: "0.5", TABPY_WORKERS: "1" } });
    const crash = "import os\nif _arg1: os._exit(1)";
    const hang = "while _arg1: pass";
    for (const script of [crash, hang]) {
      const before = () => server.log.split(script.split("\n").at(-1) ?? "").length - 1;
      await server.evaluate(script, { _arg1: 0 });
      await until("the first run", () => before() === 1);
      const { status } = await server.evaluate(script, { _arg1: 1 });
      expect([500, 408]).toContain(status);
      await until(
        () => `the second run in the log:\n${server.log}`,
        () => before() === 2,
      );
    }
  },
  testMs,
);

test(
  "the id of a request comes from a valid X-Request-ID or is generated, and is in the answer",
  async () => {
    await using server = await startServer();
    const idOf = async (given?: string) => {
      const init = given === undefined ? {} : { headers: { "X-Request-ID": given } };
      return (await server.request("/info", init)).headers.get("X-Request-ID");
    };
    const made = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;
    expect(await idOf("my-id_1:2/3")).toBe("my-id_1:2/3");
    expect(await idOf("x".repeat(128))).toBe("x".repeat(128));
    for (const given of [undefined, "", "x".repeat(129), "with space", "größe"])
      expect(await idOf(given)).toMatch(made);
    const refused = await server.request("/nowhere", { headers: { "X-Request-ID": "refused" } });
    expect(refused.headers.get("X-Request-ID")).toBe("refused");
  },
  testMs,
);

test(
  "TABPY_LOG_DETAILS names the caller, and the request behind every line of it",
  async () => {
    await using server = await startServer({ env: { TABPY_LOG_DETAILS: "true" } });
    const headers = { "TabPy-Client": "Tableau Desktop", "TabPy-User": "alice", "X-Request-ID": "call-1" };
    await server.evaluate("print('printed')\nreturn 1 / 0", {}, { headers });
    await server.waitForLog("500 POST /evaluate");
    const id = "<<call ID: call-1>>";
    const context =
      `Call ID: call-1, Caller: 127.0.0.1, Method: POST, URL: http://127.0.0.1:${server.port}/evaluate, ` +
      "Client: Tableau Desktop, Tableau user: alice, ";
    const own = server.log
      .split(/\n(?! )/)
      .filter((one) => /call-1|printed|1 \/ 0|500/.test(one))
      .map((one) => one.slice(one.indexOf("): ") + 3));
    expect(own[0]).toBe(`${context}${id}`);
    expect(own.length).toBe(5);
    for (const one of own) expect(one).toEndWith(`, ${id}`);
    expect(own.some((one) => one.startsWith("printed"))).toBe(true);
    expect(own.some((one) => one.startsWith("function to evaluate="))).toBe(true);
  },
  testMs,
);

test(
  "no log has bodies of requests, results or credentials, even with every detail enabled",
  async () => {
    const config = `[TabPy]\nTABPY_LOG_DETAILS = true\n${tabpySections("DEBUG", "all.log")}`;
    await using server = await startServer({ config });
    const authorization = `Basic ${btoa("someone:secret-password")}`;
    await server.evaluate("return _arg1 + '-result'", { _arg1: "secret-data" });
    await server.request("/info", { headers: { Authorization: authorization, Cookie: "secret-cookie" } });
    await server.waitForLog("406 GET /info");
    await until("the same in the file", () => text(server, "all.log").includes("406 GET /info"));
    for (const log of [server.log, text(server, "all.log")]) expect(log).not.toMatch(/secret|c29tZW9uZ/);
  },
  testMs,
);

test(
  "SIGUSR1 reopens files without losing a line",
  async () => {
    await using server = await startServer({ config: `[TabPy]\n${tabpySections("INFO", "moved.log")}` });
    const count = (name: string) => text(server, name).split("200 GET /info?n=").length - 1;
    for (let at = 0; at < 50; at++) await server.request(`/info?n=${at}`);
    await until("50 lines", () => count("moved.log") === 50);
    renameSync(server.path("moved.log"), server.path("moved.log.old"));
    server.process.kill("SIGUSR1");
    await until("the new file", () => existsSync(server.path("moved.log")));
    for (let at = 0; at < 50; at++) await server.request(`/info?n=${at}`);
    await until("100 lines", () => count("moved.log") + count("moved.log.old") === 100);
    expect(count("moved.log")).toBeGreaterThan(0);
  },
  testMs,
);

test(
  "a clean stop writes everything, a crash loses at most the last second",
  async () => {
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const server = await startServer({ config: `[TabPy]\n${tabpySections("INFO", "end.log")}` });
      for (let at = 0; at < 200; at++) await server.request(`/info?n=${at}`);
      const count = () => text(server, "end.log").split("200 GET /info?n=").length - 1;
      // They arrive within a second, and stay.
      if (signal === "SIGKILL") await until("the lines of a second ago", () => count() === 200, 1000);
      server.process.kill(signal);
      await server.exited;
      expect(count()).toBe(200);
      expect(server.log.split("200 GET /info?n=").length - 1).toBe(200);
      await server.expectNothingLeft();
    }
  },
  testMs,
);

test("tabpy.JsonFormatter writes lines that are JSON", async () => {
  const config = `[TabPy]\n${tabpySections("DEBUG", "json.log").replace(/format=.*\ndatefmt=.*/, "class=tabpy.JsonFormatter")}`;
  const server = await startServer({ config });
  await server.evaluate("print('one\\ntwo')", {}, { headers: { "X-Request-ID": "json-1" } });
  expect(await server.stop()).toBe(0);
  const records = server.log
    .trimEnd()
    .split("\n")
    .map((one) => JSON.parse(one));
  const own = records.filter((one) => one.call_id === "json-1").map((one) => one.message);
  // What a script prints and its reply come by two ways.
  expect(own.sort()).toEqual([
    expect.stringMatching(/^200 POST \/evaluate/),
    "function to evaluate=def _user_script(tabpy):\n print('one\\ntwo')",
    "one",
    "two",
  ]);
}, 30_000);

test("a logging section that can't be used stops the start with one line", async () => {
  using folder = temporaryFolder();
  const config = folder.file("bad.conf");
  const table: [from: string, to: string, message: string][] = [
    [
      "class=StreamHandler",
      "class=SMTPHandler",
      'class "SMTPHandler" (FILE section [handler_rootHandler]): expected StreamHandler, ',
    ],
    [
      "level=INFO\nhandlers",
      "level=LOUD\nhandlers",
      'level "LOUD" (FILE section [logger_root]): expected DEBUG, INFO, ',
    ],
    [
      "args=(sys.stdout,)",
      "args=(sys.stdot,)",
      'the argument "stream" (FILE section [handler_rootHandler]): expected sys.stdout',
    ],
    [
      "%(message)s",
      "%(mesage)s",
      "(FILE section [formatter_rootFormatter]): expected attributes of Python's LogRecord",
    ],
  ];
  for (const [from, to, message] of table) {
    writeFileSync(
      config,
      `[TabPy]\nTABPY_HOST = 127.0.0.1\n${tabpySections("INFO", "x.log").replace(from, to)}`,
    );
    const { code, stdout, stderr } = await run(["--config", config]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toStartWith("tabpy: Cannot use ");
    expect(stderr).toContain(message.replace("FILE", config));
    expect(stderr.split("\n").length).toBe(2);
  }
});

test("warnings are coloured on a terminal, unless NO_COLOR is set", async () => {
  using folder = temporaryFolder();
  const script = `
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], [sys.argv[1]])
seen = b""
while True:
    try:
        more = os.read(terminal, 65536)
    except OSError:
        break
    if not more:
        break
    seen += more
    if b"serves at" in more:
        os.kill(child, 15)
os.waitpid(child, 0)
sys.stdout.buffer.write(seen)
`;
  for (const [name, begin, end] of [
    ["", "\x1b[33m", "\x1b[0m"],
    ["1", "", ""],
  ] as const) {
    const env = cleanEnvironment({
      TABPY_HOST: "127.0.0.1",
      TABPY_PORT: String(await freePort()),
      TABPY_PYTHON: python,
      TABPY_STATE_PATH: folder.file("state"),
      TABPY_NONSENSE: "1",
      TERM: "xterm",
      NO_COLOR: name,
    });
    const ran = spawnSync(python, ["-c", script, binary], { env, encoding: "utf8", cwd: folder.path });
    const [warning, ...others] = ran.stdout.trimEnd().split("\r\n");
    const body = warning?.slice(begin.length, warning.length - end.length) ?? "";
    expect(warning).toBe(`${begin}${body}${end}`);
    expect(body).toMatch(line("WARNING", "serve", "Unknown setting TABPY_NONSENSE .*"));
    for (const other of others) expect(other).toMatch(/^\d{4}-\d\d-\d\d,\d\d:\d\d:\d\d \[INFO\] /);
    expect(others.length).toBeGreaterThan(1);
    expect(readFileSync(folder.file("state/tabpy_log.log"), "utf8")).not.toContain("\x1b");
  }
}, 30_000);

/** The process whose command line ends with `argument`. */
function pidOf(argument: string): number {
  const found = spawnSync("pgrep", ["-f", `${argument}$`], { encoding: "utf8" });
  return Number(found.stdout.trim().split("\n")[0]);
}
