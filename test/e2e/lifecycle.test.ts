// How the executable starts, refuses to start, stops and recovers. What scripts can do to it: faults.test.ts.

import { expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import packageJson from "../../package.json" with { type: "json" };
import { settings } from "../../src/config/settings.ts";
import { run } from "../support/binary.ts";
import { findInterpreters, isSupported, nameOf, testPython } from "../support/interpreters.ts";
import { freePort, isRefused, sendRaw } from "../support/network.ts";
import { processesOf } from "../support/processes.ts";
import { type Answer, startServer, TestServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const python = testPython().file;
const testMs = 30_000;

/** A script that writes its pid to `<name>-runs`, and then waits for the file `<name>-go`. */
function waitingScript(server: TestServer, name: string): string {
  return `
import os, time
open(${JSON.stringify(server.path(`${name}-runs`))}, 'w').write(str(os.getpid()))
while not os.path.exists(${JSON.stringify(server.path(`${name}-go`))}): time.sleep(0.01)
return ${JSON.stringify(name)}`;
}

/** Start the waiting script; resolves when it runs. `release` lets it return. */
async function holdWorker(server: TestServer, name: string) {
  const answer = server.evaluate(waitingScript(server, name)).catch((error: Error) => error);
  await server.written(`${name}-runs`);
  return { answer, release: () => writeFileSync(server.path(`${name}-go`), "") };
}

// --- the command line

test("--version prints name and version", async () => {
  expect(await run(["--version"])).toEqual({ code: 0, stdout: `tabpy ${packageJson.version}\n`, stderr: "" });
});

test("--help names every option, every setting with its default, and an example", async () => {
  const { code, stdout, stderr } = await run(["--help"]);
  expect([code, stderr]).toEqual([0, ""]);
  for (const option of ["--config", "--port", "--disable-auth-warning", "--version", "config", "user"])
    expect(stdout).toContain(option);
  for (const setting of settings) expect(stdout).toContain(`  ${setting.name} (`);
  expect(stdout).toMatch(/EXAMPLE\n\n {2}tabpy --config /);
  expect(stdout).not.toContain("\x1b");
});

test("--help of tabpy config names its options and an example", async () => {
  const { code, stdout, stderr } = await run(["config", "--help"]);
  expect([code, stderr]).toEqual([0, ""]);
  for (const text of ["--config", "--port", "--json", "EXAMPLE"]) expect(stdout).toContain(text);
});

const badUsage: [args: string[], message: string][] = [
  [["--prot", "8004"], 'Unknown option "--prot"'],
  [["-x"], 'Unknown option "-x"'],
  [["serve"], 'Cannot understand "serve"'],
  [["--config"], 'Option "--config" has no value'],
  [["config", "--yaml"], 'Unknown option "--yaml"'],
];
for (const [args, message] of badUsage) {
  test(`tabpy ${args.join(" ")} is bad usage: exit code 2`, async () => {
    const { code, stdout, stderr } = await run(args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toStartWith(`tabpy: ${message}`);
    expect(stderr).toEndWith('\nTry "tabpy --help"\n');
  });
}

test("tabpy config prints each setting with its value and origin", async () => {
  using folder = temporaryFolder();
  const file = folder.file("tabpy.conf");
  writeFileSync(file, "[TabPy]\nTABPY_WORKERS = 3\n\nTABPY_GZIP_ENABLE = no\nTABPY_PORT = 1000\n");
  const env = { TABPY_GZIP_ENABLE: "yes", TABPY_PORT: "1001", TABPY_HOST: "" };
  const { code, stdout, stderr } = await run(["config", "--config", file, "--port", "1002"], env);
  expect([code, stderr]).toEqual([0, ""]);
  const rows = stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ {2,}/));
  expect(rows.map(([name]) => name)).toEqual(settings.map((setting) => setting.name));
  expect(rows).toContainEqual(["TABPY_WORKERS", "3", `${file} line 2`]);
  expect(rows).toContainEqual(["TABPY_GZIP_ENABLE", "true", "environment"]);
  expect(rows).toContainEqual(["TABPY_PORT", "1002", "command line"]);
  expect(rows).toContainEqual(["TABPY_HOST", "0.0.0.0", "default"]);
  expect(rows).toContainEqual(["TABPY_PWD_FILE", "(not set)", "default"]);
});

test("tabpy config --json prints an object of every setting", async () => {
  const { code, stdout, stderr } = await run(["config", "--json"], { TABPY_EVALUATE_TIMEOUT: "2.5" });
  expect([code, stderr]).toEqual([0, ""]);
  const shown = JSON.parse(stdout);
  expect(Object.keys(shown)).toEqual(settings.map((setting) => setting.name));
  expect(shown.TABPY_EVALUATE_TIMEOUT).toEqual({ value: 2.5, origin: "environment" });
  expect(shown.TABPY_PWD_FILE).toEqual({ value: null, origin: "default" });
  expect(shown.TABPY_PORT).toEqual({ value: 9004, origin: "default" });
});

// --- faults of the configuration

interface ConfigFault {
  readonly env?: Record<string, string>;
  readonly config?: string;
  readonly args?: string[];
  /** <file> is replaced with the path of the config file. */
  readonly message: string;
}
const configFaults: Record<string, ConfigFault> = {
  "a port in the environment that is not a number": {
    env: { TABPY_PORT: "http" },
    message:
      'Cannot use TABPY_PORT "http" (environment): expected an integer from 1 to 65535, 9004 by default',
  },
  "a port of the command line out of bounds": {
    args: ["--port", "65536"],
    message: 'Cannot use TABPY_PORT "65536" (command line): expected an integer from 1 to 65535',
  },
  "an invalid boolean in the file": {
    config: "# one\n[TabPy]\n\nTABPY_GZIP_ENABLE = maybe\n",
    message: 'Cannot use TABPY_GZIP_ENABLE "maybe" (<file> line 4): expected true or false, true by default',
  },
  "a time limit of zero": {
    config: "[TabPy]\nTABPY_EVALUATE_TIMEOUT = 0\n",
    message: 'Cannot use TABPY_EVALUATE_TIMEOUT "0" (<file> line 2): expected a number of seconds from 0.01',
  },
  "a protocol that is unknown": {
    env: { TABPY_TRANSFER_PROTOCOL: "gopher" },
    message: 'Cannot use TABPY_TRANSFER_PROTOCOL "gopher" (environment): expected http or https',
  },
  "a file that is not a config file": {
    config: "[TabPy\n",
    message: 'Cannot read "<file>" line 1: expected',
  },
  "an option that is there twice": {
    config: "[TabPy]\nTABPY_PORT = 1\nTABPY_PORT = 2\n",
    message: 'Cannot read "<file>" line 3: ',
  },
  "a reference to nothing": {
    config: "[TabPy]\nTABPY_PWD_FILE = %(NOT_THERE)s/passwords\n",
    message:
      'Cannot read "TABPY_PWD_FILE" (<file> line 2): expected an option or a default named "NOT_THERE"',
  },
  "a config file that is not there": {
    args: ["--config", "/not/there.conf"],
    message: 'Cannot read the config file "/not/there.conf": ENOENT',
  },
  "https without a certificate": {
    env: { TABPY_TRANSFER_PROTOCOL: "https" },
    message: "Error using HTTPS: The parameter(s) TABPY_CERTIFICATE_FILE and TABPY_KEY_FILE must be set.",
  },
  "a static folder that is not there": {
    env: { TABPY_STATIC_PATH: "/not/there" },
    message: 'Cannot use TABPY_STATIC_PATH "/not/there": expected a folder',
  },
  "a password file that is not there": {
    env: { TABPY_PWD_FILE: "/not/there" },
    message: 'Cannot read TABPY_PWD_FILE "/not/there": ENOENT',
  },
  "a Python that is not there": {
    env: { TABPY_PYTHON: "/not/there/python" },
    message: 'Cannot find TABPY_PYTHON "/not/there/python": expected the path or the command of CPython 3.9',
  },
  "no Python on the PATH": {
    env: { PATH: "/not/there" },
    message:
      "Cannot find Python: no python3, python on the PATH; install CPython 3.9 or newer, or set TABPY_PYTHON",
  },
  "a host that this machine has not": {
    env: { TABPY_HOST: "192.0.2.1", TABPY_PWD_FILE: "" },
    args: ["--disable-auth-warning"],
    message: "Cannot listen on 192.0.2.1 port 9004: this machine has no such address",
  },
  "an allowed host with a port": {
    env: { TABPY_ALLOWED_HOSTS: "tabpy.corp, tabpy.example:9004" },
    message:
      'Cannot use TABPY_ALLOWED_HOSTS "tabpy.corp, tabpy.example:9004" (environment): expected names or addresses without a port, separated by commas',
  },
  "an open server without a terminal to ask at": {
    env: { TABPY_HOST: "0.0.0.0" },
    message:
      "Not started without authentication: anyone who reaches port 9004 can run code on this machine; set TABPY_PWD_FILE",
  },
};
for (const [name, fault] of Object.entries(configFaults)) {
  test(`${name}: exit code 1 and one line with the remedy`, async () => {
    using folder = temporaryFolder();
    const file = folder.file("tabpy.conf");
    if (fault.config !== undefined) writeFileSync(file, fault.config);
    const args = [...(fault.config === undefined ? [] : ["--config", file]), ...(fault.args ?? [])];
    const env = { TABPY_HOST: "127.0.0.1", TABPY_STATE_PATH: folder.file("state"), ...fault.env };
    const { code, stdout, stderr } = await run(args, env);
    expect(stderr).toStartWith(`tabpy: ${fault.message.replace("<file>", file)}`);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect([code, stdout]).toEqual([1, ""]);
  });
}

test("a port in use is reported: exit code 1", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const address = other.address();
  const port = typeof address === "object" && address !== null ? String(address.port) : "";
  try {
    const { code, stderr } = await run([], {
      TABPY_HOST: "127.0.0.1",
      TABPY_PORT: port,
      TABPY_PYTHON: python,
    });
    expect(stderr).toBe(
      `tabpy: Cannot listen on 127.0.0.1 port ${port}: the port is in use; stop what uses it or choose another TABPY_PORT\n`,
    );
    expect(code).toBe(1);
  } finally {
    other.close();
  }
});

test(
  "unknown settings are logged as warnings with the nearest name",
  async () => {
    await using server = await startServer({
      env: { TABPY_EVALUATE_TIMOUT: "5" },
      config: "[TabPy]\nTABPY_GZIP_ENABLED = false\nSOMETHING_ELSE = 1\n",
    });
    const file = server.path("tabpy.conf");
    await server.waitForLog(
      "[WARNING] (serve.ts:serve:0): Unknown setting TABPY_EVALUATE_TIMOUT (environment) is ignored: did you mean TABPY_EVALUATE_TIMEOUT?\n",
    );
    await server.waitForLog(
      `Unknown setting TABPY_GZIP_ENABLED (${file} line 2) is ignored: did you mean TABPY_GZIP_ENABLE?\n`,
    );
    await server.waitForLog(`Unknown setting SOMETHING_ELSE (${file} line 3) is ignored\n`);
  },
  testMs,
);

test(
  "--disable-auth-warning starts an open server, a password file does too",
  async () => {
    using folder = temporaryFolder();
    const file = folder.file("passwords");
    writeFileSync(file, `user1 ${"ab".repeat(64)}\n`);
    await using open = await startServer({
      env: { TABPY_HOST: "0.0.0.0" },
      args: ["--disable-auth-warning"],
    });
    expect((await open.request("/info")).status).toBe(200);
    await using closed = new TestServer(await freePort(), {
      env: { TABPY_HOST: "0.0.0.0", TABPY_PWD_FILE: file },
    });
    await until(
      () => `the server, its log:\n${closed.log}`,
      () =>
        closed.request("/info").then(
          (answer) => answer.status === 401,
          () => false,
        ),
    );
  },
  testMs,
);

test(
  "a time limit for requests below that for headers starts",
  async () => {
    await using server = await startServer({ env: { TABPY_REQUEST_TIMEOUT: "5" } });
    expect((await server.request("/info")).status).toBe(200);
  },
  testMs,
);

// --- Python

const tooOld = findInterpreters().filter(
  ({ implementation, version: [major, minor] }) => implementation === "cpython" && (major < 3 || minor < 9),
);
for (const interpreter of tooOld) {
  test(
    `${nameOf(interpreter)} is too old: exit code 1 and one line`,
    async () => {
      expect(isSupported(interpreter)).toBe(false);
      const env = {
        TABPY_HOST: "127.0.0.1",
        TABPY_PORT: String(await freePort()),
        TABPY_PYTHON: interpreter.file,
      };
      const { code, stderr } = await run([], env);
      const version = interpreter.version.join(".");
      expect(stderr).toStartWith(
        `tabpy: Cannot use the Python that was found: ${interpreter.file} is Python ${version} (`,
      );
      expect(stderr).toEndWith("; expected CPython 3.9 or newer, set TABPY_PYTHON to the path of one\n");
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
      expect(code).toBe(1);
    },
    testMs,
  );
}

test(
  "a TABPY_PYTHON that is not Python is named in the log, and calls get 503 with Retry-After",
  async () => {
    await using server = new TestServer(await freePort(), { env: { TABPY_PYTHON: "/bin/true" } });
    await server.waitForLog(
      /Cannot start a worker with \/bin\/true: it ended with exit code 0; next try in [\d.]+ s/,
    );
    const answer = await server.evaluate("return 1");
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get("Retry-After"))).toBeGreaterThan(0);
  },
  testMs,
);

test(
  "a Python that stops to start answers 503 with growing pauses, and serves again when it is repaired",
  async () => {
    using folder = temporaryFolder();
    const wrapper = folder.file("python");
    const flag = folder.file("broken");
    writeFileSync(
      wrapper,
      `#!/bin/sh\nif [ -e '${flag}' ]; then echo 'Python is being updated' >&2; exit 3; fi\nexec '${python}' "$@"\n`,
      { mode: 0o755 },
    );
    await using server = await startServer({ env: { TABPY_PYTHON: wrapper, TABPY_WORKERS: "1" } });
    writeFileSync(flag, "");
    expect((await server.evaluate("import os\nos._exit(1)")).status).toBe(500);
    let answer: Answer | undefined;
    await until("a call that no worker takes", async () => {
      answer = await server.evaluate("return 1");
      return answer.status !== 200;
    });
    expect([answer?.status, answer?.json.message]).toEqual([503, "Python cannot be started"]);
    expect(Number(answer?.headers.get("Retry-After"))).toBeGreaterThanOrEqual(1);
    const failure = `Cannot start a worker with ${wrapper}: it ended with exit code 3: Python is being updated; next try in`;
    for (const pause of ["0.25", "0.5", "1"]) await server.waitForLog(`${failure} ${pause} s\n`);
    rmSync(flag);
    await until("an answer", async () => (await server.evaluate("return 1")).status === 200);
  },
  testMs,
);

// --- stopping

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(
    `${signal} lets a running call finish, refuses new ones, and ends with exit code 0`,
    async () => {
      await using server = await startServer();
      const held = await holdWorker(server, "held");
      server.process.kill(signal);
      await until("the end of listening", () => isRefused(server.port));
      expect(server.process.exitCode).toBeNull();
      held.release();
      const answer = (await held.answer) as Answer;
      expect([answer.status, answer.json]).toEqual([200, "held"]);
      expect(await server.exited).toBe(0);
      await server.waitForLog(`Stopping on ${signal}\n`);
      await server.expectNothingLeft();
    },
    testMs,
  );
}

test(
  "a call that waits for a worker when the server is asked to stop is answered too",
  async () => {
    await using server = await startServer({ env: { TABPY_WORKERS: "1" } });
    const held = await holdWorker(server, "held");
    const waiting = server.evaluate("return 'waited'");
    await server.request("/info"); // sent later and answered: the call has arrived
    server.process.kill("SIGTERM");
    await until("the end of listening", () => isRefused(server.port));
    held.release();
    expect((await waiting).json).toBe("waited");
    expect(await server.exited).toBe(0);
  },
  testMs,
);

test(
  "a call that takes longer than TABPY_DRAIN_TIMEOUT does not keep the server",
  async () => {
    await using server = await startServer({ env: { TABPY_DRAIN_TIMEOUT: "0.5" } });
    const held = await holdWorker(server, "held");
    const started = performance.now();
    server.process.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    expect(performance.now() - started).toBeGreaterThan(450);
    await held.answer; // an error: its connection was closed
    await server.expectNothingLeft();
  },
  testMs,
);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(
    `a second ${signal} ends the server without waiting for what runs`,
    async () => {
      await using server = await startServer({
        env: { TABPY_DRAIN_TIMEOUT: "600", TABPY_EVALUATE_TIMEOUT: "600" },
      });
      const held = await holdWorker(server, "held");
      server.process.kill(signal);
      await server.waitForLog(`Stopping on ${signal}`);
      server.process.kill(signal);
      expect(await server.exited).toBe(1); // long before TABPY_DRAIN_TIMEOUT, as this test has a time limit
      await held.answer;
      await server.expectNothingLeft();
    },
    testMs,
  );
}

test(
  "idle connections do not keep the server that stops",
  async () => {
    await using server = await startServer({ env: { TABPY_DRAIN_TIMEOUT: "600" } });
    const silent = connect(server.port, "127.0.0.1").on("error", () => {});
    await new Promise<void>((resolve) => silent.on("connect", resolve));
    let text = "";
    const kept = sendRaw(server.port, "GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n", (socket) =>
      socket.on("data", (chunk) => {
        text += chunk;
      }),
    );
    await until("the answer", () => text.endsWith("}}}}"));
    server.process.kill("SIGTERM");
    expect(await server.exited).toBe(0); // long before TABPY_DRAIN_TIMEOUT, as this test has a time limit
    expect(await kept).toStartWith("HTTP/1.1 200");
    silent.destroy();
  },
  testMs,
);

const busyScripts: Record<string, string> = {
  "with a subprocess": "subprocess.Popen(['sleep', '1000']); tell(); time.sleep(1000)",
  "with a daemon in a session of its own":
    "os.system('setsid sleep 1000 > /dev/null 2>&1 < /dev/null &'); tell(); time.sleep(1000)",
  "with a fork of a fork":
    "pid = os.fork()\nif pid == 0:\n  if os.fork() == 0: time.sleep(1000)\n  os._exit(0)\nos.waitpid(pid, 0); tell(); time.sleep(1000)",
  "that keeps the GIL": "tell(); re.match(r'(a+)+$', 'a' * 40 + 'b')",
  "that ignores signals":
    "[signal.signal(s, signal.SIG_IGN) for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]; tell(); time.sleep(1000)",
};
test(
  "kill -9 of the server ends its workers and all that their scripts have started",
  async () => {
    const names = Object.keys(busyScripts);
    const size = String(names.length);
    await using server = await startServer({ env: { TABPY_WORKERS: size, TABPY_WORKERS_PER_USER: size } });
    const calls = names.map((name, at) => {
      const tell = `def tell(): open(${JSON.stringify(server.path(`runs-${at}`))}, 'w').write('yes')`;
      const script = `import os, re, signal, subprocess, time\n${tell}\n${busyScripts[name]}`;
      return server.evaluate(script).catch((error: Error) => error);
    });
    await Promise.all(names.map((_, at) => server.written(`runs-${at}`)));
    expect(processesOf(server.marker).length).toBeGreaterThanOrEqual(1 + 2 * names.length + 3);
    server.process.kill("SIGKILL");
    expect(await server.exited).toBe("SIGKILL");
    await server.expectNothingLeft(3000);
    for (const call of calls) expect(await call).toBeInstanceOf(Error);
  },
  testMs,
);

test(
  "an idle server that is killed with -9 leaves nothing",
  async () => {
    await using server = await startServer();
    server.process.kill("SIGKILL");
    await server.exited;
    await server.expectNothingLeft(3000);
  },
  testMs,
);

// --- the queue and the workers

for (const queueSize of [0, 1]) {
  test(
    `one call more than TABPY_QUEUE_SIZE=${queueSize} lets wait is answered with 503 at once`,
    async () => {
      const env = { TABPY_WORKERS: "1", TABPY_QUEUE_SIZE: String(queueSize) };
      await using server = await startServer({ env });
      const held = await holdWorker(server, "held");
      const others = Array.from({ length: queueSize + 1 }, () => server.evaluate("return 'other'"));
      const refused = await Promise.race(others);
      expect([refused.status, refused.json]).toEqual([
        503,
        { message: "The server is busy", info: `${queueSize} calls are waiting for a worker` },
      ]);
      expect(refused.headers.get("Retry-After")).toBe("1");
      expect(refused.headers.get("Content-Type")).toBe("application/json");
      held.release();
      expect(((await held.answer) as Answer).json).toBe("held");
      const statuses = (await Promise.all(others)).map((answer) => answer.status).sort();
      expect(statuses).toEqual([...Array(queueSize).fill(200), 503]);
    },
    testMs,
  );
}

test(
  "a call that waits longer than TABPY_QUEUE_TIMEOUT is answered with 503",
  async () => {
    await using server = await startServer({ env: { TABPY_WORKERS: "1", TABPY_QUEUE_TIMEOUT: "0.3" } });
    const held = await holdWorker(server, "held");
    const started = performance.now();
    const refused = await server.evaluate("return 1");
    expect(performance.now() - started).toBeGreaterThan(280);
    expect([refused.status, refused.json]).toEqual([
      503,
      { message: "The server is busy", info: "no worker was free within 0.3 s" },
    ]);
    expect(refused.headers.get("Retry-After")).toBe("1");
    held.release();
    expect(((await held.answer) as Answer).json).toBe("held");
  },
  testMs,
);

test(
  "a client that leaves the queue does not run",
  async () => {
    await using server = await startServer({ env: { TABPY_WORKERS: "1" } });
    const held = await holdWorker(server, "held");
    const controller = new AbortController();
    const left = server
      .evaluate(
        `open(${JSON.stringify(server.path("left"))}, 'w').close()`,
        {},
        { signal: controller.signal },
      )
      .catch((error: Error) => error.name);
    await server.request("/info");
    controller.abort();
    expect(await left).toBe("AbortError");
    await server.waitForLog("client gone POST /evaluate");
    held.release();
    await held.answer;
    const seen = await server.evaluate(
      `import os\nreturn os.path.exists(${JSON.stringify(server.path("left"))})`,
    );
    expect(seen.json).toBe(false);
  },
  testMs,
);

test("TABPY_WORKER_MAX_REQUESTS replaces workers and loses no call", async () => {
  await using server = await startServer({ env: { TABPY_WORKER_MAX_REQUESTS: "3" } });
  const calls = 40;
  const answers: Answer[] = [];
  const client = async () => {
    for (let call = 0; call < calls / 4; call++) {
      answers.push(await server.evaluate("import os\nreturn os.getpid()"));
    }
  };
  await Promise.all([client(), client(), client(), client()]);
  expect(answers.map((answer) => answer.status)).toEqual(Array(calls).fill(200));
  const counts = new Map<number, number>();
  for (const { json } of answers) counts.set(json, (counts.get(json) ?? 0) + 1);
  expect(Math.max(...counts.values())).toBeLessThanOrEqual(3);
  await server.waitForLog(/Worker \d+ is replaced: it has taken 3 calls/);
}, 60_000);

test(
  "a script's output is logged with the id of its call",
  async () => {
    await using server = await startServer();
    const script = `
import os, subprocess, sys
print('by print', _arg1)
sys.stderr.write('to stderr %s\\n' % _arg1)
subprocess.run(['echo', 'by a subprocess', str(_arg1)])
os.write(1, b'below Python %d\\n' % _arg1)`;
    const ids: string[] = [];
    for (const call of [1, 2]) {
      expect((await server.evaluate(script, { _arg1: call })).status).toBe(200);
      const lines = ["by print", "to stderr", "by a subprocess", "below Python"];
      const found = await Promise.all(
        lines.map(async (line) => {
          const logged = new RegExp(
            `\\(script\\.py:script:0\\): ${line} ${call}, <<call ID: ([0-9a-f-]{36})>>\\n`,
          );
          await server.waitForLog(logged);
          return logged.exec(server.log)?.[1] ?? "";
        }),
      );
      expect(new Set(found).size).toBe(1);
      ids.push(...found.slice(0, 1));
    }
    expect(new Set(ids).size).toBe(2);
  },
  testMs,
);
