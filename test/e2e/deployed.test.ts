// Deployed functions on the executable: what archives can do to it when they load and when they run, uploads that
// break, and state folders that servers share.

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { testPython } from "../support/interpreters.ts";
import { restart, startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { add, deploy, functionArchive, hostileArchive, loaded, multiply, query, upload } from "./archives.ts";
import { startTraffic } from "./traffic.ts";

const testMs = 60_000;

/** Files below a folder, relative, sorted. */
function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

const staging = (server: TestServer) => server.path("state/staging");
const archives = (server: TestServer) => server.path("state/query_objects");

test(
  "a deployed function is queried, updated, called from scripts and removed",
  async () => {
    await using server = await startServer();
    expect((await deploy(server, "two words", add)).status).toBe(201);
    expect((await query(server, "two words", [1, 2])).json).toMatchObject({
      response: 3,
      version: 1,
      model: "two words",
    });
    expect((await deploy(server, "two words", multiply, 2)).json).toMatchObject({
      "two words": { version: 2 },
    });
    expect((await query(server, "two words", { a: 3, b: 4 })).json).toMatchObject({
      response: 12,
      version: 2,
    });
    const script = "return tabpy.query('two words', _arg1, _arg2)['response']";
    expect((await server.evaluate(script, { _arg1: 5, _arg2: 6 })).json).toBe(30);
    expect(filesIn(archives(server))).toEqual(["two words/2/pickle_archive"]);
    expect((await server.request("/endpoints/two%20words", { method: "DELETE" })).status).toBe(204);
    expect((await query(server, "two words", [1, 2])).status).toBe(404);
    expect((await server.evaluate(script, { _arg1: 5, _arg2: 6 })).json).toMatchObject({
      message: "Error processing script",
      info: expect.stringMatching(
        /^Endpoint 'two words' does not exist\. The endpoint you're trying to query/,
      ),
    });
    expect([...filesIn(archives(server)), ...filesIn(staging(server))]).toEqual([]);
    expect((await deploy(server, "two words", add)).json).toMatchObject({ "two words": { version: 1 } });
    expect((await query(server, "two words", [3, 4])).json).toMatchObject({ response: 7 });
    expect((await server.evaluate(script, { _arg1: 3, _arg2: 4 })).json).toBe(7);
  },
  testMs,
);

const refusals: readonly [what: string, archive: Buffer, env: Record<string, string>, error: RegExp][] = [
  ["hangs", hostileArchive("time", "time.sleep", "(3600,)"), {}, /^Load failed: f was not loaded within 1 s/],
  [
    "crashes",
    hostileArchive("ctypes", "ctypes.string_at", "(0,)"),
    {},
    /^Load failed: .* ended: signal SIGSEGV/,
  ],
  ["exits", hostileArchive("sys", "sys.exit", "(3,)"), {}, /^Load failed: 3$/],
  ["ends its process", hostileArchive("os", "os._exit", "(7,)"), {}, /^Load failed: .* ended: exit code 7/],
  [
    "eats memory",
    hostileArchive("builtins", "eval", `("[bytearray(1 << 24) for _ in range(1 << 16)]",)`),
    { TABPY_WORKER_MEMORY_MB: "200", TABPY_LOAD_TIMEOUT: "30" },
    /^Load failed: .* memory of \d+ MB exceeded TABPY_WORKER_MEMORY_MB/,
  ],
  [
    "needs a missing module",
    Buffer.from("cnot_there_at_all\nx\n."),
    {},
    /^Load failed: No module named 'not_there_at_all' \(looked for by .*python.*\)$/,
  ],
  ["is not a pickle", Buffer.from("nothing"), {}, /^Load failed: /],
];
for (const [what, archive, env, error] of refusals) {
  test(
    `an archive that ${what} when it loads is LoadFailed, and the previous version keeps serving`,
    async () => {
      await using server = await startServer({ env: { TABPY_LOAD_TIMEOUT: "1", ...env } });
      await deploy(server, "f", add);
      const traffic = startTraffic(server);
      expect((await deploy(server, "f", archive, 2)).status).toBe(200);
      expect(await loaded(server, "f")).toMatchObject({
        version: 2,
        status: "LoadFailed",
        last_error: expect.stringMatching(error),
      });
      expect((await query(server, "f", [1, 2])).json).toMatchObject({ response: 3, version: 1 });
      expect((await traffic.stop()).failures).toEqual([]);
      // It is a first version, so no earlier one can serve instead.
      expect((await deploy(server, "g", archive)).status).toBe(201);
      expect(await loaded(server, "g")).toMatchObject({ status: "LoadFailed" });
      expect((await query(server, "g", [1, 2])).json).toMatchObject({
        info: { error: "There is no query object associated to the endpoint: g" },
      });
    },
    testMs,
  );
}

test(
  "a version that doesn't load isn't served after a restart either",
  async () => {
    const first = await startServer();
    await deploy(first, "f", add);
    await deploy(first, "f", Buffer.from("nothing"), 2);
    await using second = await restart(first);
    expect(await loaded(second, "f")).toMatchObject({ version: 2, status: "LoadFailed" });
    expect((await query(second, "f", [1, 2])).json).toMatchObject({ response: 3, version: 1 });
    expect((await deploy(second, "f", multiply, 3)).json).toMatchObject({ f: { version: 3 } });
    expect((await query(second, "f", [3, 5])).json).toMatchObject({ response: 15, version: 3 });
    await until("the old archives to be removed", () => filesIn(archives(second)).length === 1);
  },
  testMs,
);

test(
  "each function is loaded at the start, with its line in the log, and serves meanwhile",
  async () => {
    const first = await startServer();
    for (const name of ["a", "b", "c"]) await deploy(first, name, add);
    await using second = await restart(first);
    const { json } = await second.request("/status", { headers: { Prefer: "wait=30" } });
    expect(Object.keys(json)).toEqual(["a", "b", "c"]);
    for (const name of ["a", "b", "c"]) {
      expect(json[name].status).toBe("LoadSuccessful");
      await second.waitForLog(`Load endpoint: ${name}, version: 1, type: model`);
      expect((await query(second, name, [1, 2])).json.response).toBe(3);
    }
  },
  testMs,
);

const runFailures: readonly [what: string, body: string, status: number, error: RegExp][] = [
  ["raises", "raise ValueError('no')", 500, /^ValueError : no$/],
  ["calls sys.exit", "import sys; sys.exit(3)", 500, /^SystemExit : 3$/],
  ["ends its process", "import os; os._exit(3)", 500, /^WorkerLost : .* exit code 3/],
  ["crashes", "import ctypes; ctypes.string_at(0)", 500, /^WorkerLost : .* signal SIGSEGV/],
  [
    "returns what JSON can't represent",
    "return object()",
    500,
    /^TypeError : Result from object query is not json/,
  ],
];
test(
  "a function that fails, fails only its own call",
  async () => {
    await using server = await startServer();
    const traffic = startTraffic(server);
    for (const [at, [what, body, status, error]] of runFailures.entries()) {
      const name = `f${at}`;
      await deploy(server, name, functionArchive(`def f():\n ${body}`, "f"));
      const answer = await query(server, name, []);
      expect({ what, status: answer.status, message: answer.json.message, info: answer.json.info }).toEqual({
        what,
        status,
        message: `Error querying function '${name}'`,
        info: { uri: name, type: "QueryFailed", error: expect.stringMatching(error) },
      });
    }
    expect((await traffic.stop()).failures).toEqual([]);
  },
  testMs,
);

test(
  "TABPY_QUERY_TIMEOUT ends a function, and the next call is answered",
  async () => {
    await using server = await startServer({ env: { TABPY_QUERY_TIMEOUT: "0.5", TABPY_WORKERS: "1" } });
    await deploy(server, "loop", functionArchive("def f():\n while True: pass", "f"));
    await deploy(server, "add", add);
    expect((await query(server, "loop", [])).json).toEqual({
      message: "Function 'loop' timed out. Timeout is set to 0.5 s.",
      info: {},
    });
    expect((await query(server, "add", [1, 2])).json.response).toBe(3);
  },
  testMs,
);

test(
  "while functions run in every worker, /info, /status and a deployment are answered",
  async () => {
    await using server = await startServer({ env: { TABPY_WORKERS: "2" } });
    const go = JSON.stringify(server.path("go"));
    const wait = `def f(at):\n import os, time\n open(${JSON.stringify(server.path("runs"))} + str(at), 'w').write('x')\n while not os.path.exists(${go}): time.sleep(0.01)\n return at`;
    await deploy(server, "wait", functionArchive(wait, "f"));
    const running = [1, 2].map((at) => query(server, "wait", [at]));
    await Promise.all([server.written("runs1"), server.written("runs2")]);
    expect((await server.request("/info")).status).toBe(200);
    expect((await deploy(server, "add", add)).status).toBe(201);
    expect(await loaded(server, "add")).toMatchObject({ status: "LoadSuccessful" });
    writeFileSync(server.path("go"), "");
    expect((await Promise.all(running)).map((answer) => answer.json.response)).toEqual([1, 2]);
  },
  testMs,
);

test(
  "a worker keeps TABPY_WORKER_MODELS functions loaded, each as long as it is used",
  async () => {
    await using server = await startServer({ env: { TABPY_WORKERS: "1", TABPY_WORKER_MODELS: "2" } });
    const counter = functionArchive("calls = []\ndef f():\n calls.append(1)\n return len(calls)", "f");
    for (const name of ["a", "b", "c"]) await deploy(server, name, counter);
    const counts: number[] = [];
    for (const name of ["a", "b", "a", "c", "a", "b"])
      counts.push((await query(server, name, [])).json.response);
    expect(counts).toEqual([1, 1, 2, 1, 3, 1]);
  },
  testMs,
);

test(
  "an upload that ends early leaves nothing",
  async () => {
    await using server = await startServer();
    const path = "/configurations/endpoint_upload_destination/endpoints/f/1/pickle_archive";
    const socket = connect(server.port, "127.0.0.1");
    socket.write(
      `PUT ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n${"x".repeat(200_000)}`,
    );
    await until("the start of the upload", () => filesIn(staging(server)).length === 1);
    socket.destroy();
    await until("the upload to be gone", () => filesIn(staging(server)).length === 0);
    expect(readdirSync(staging(server))).not.toContain("f");
  },
  testMs,
);

test(
  "an upload over TABPY_MAX_ARCHIVE_SIZE_MB is refused and leaves nothing, one over the body limit is taken",
  async () => {
    await using server = await startServer({
      env: { TABPY_MAX_ARCHIVE_SIZE_MB: "2", TABPY_MAX_REQUEST_SIZE_MB: "0.5" },
    });
    const announced = await upload(server, "f", Buffer.alloc(2 * 1024 * 1024 + 1));
    expect(announced.status).toBe(413);
    expect(announced.json.message).toBe("Archive with size 2097153 exceeded limit of 2097152 (bytes).");
    const chunks = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(100_000));
      },
    });
    const streamed = await upload(server, "f", chunks).catch((error: Error) => error);
    if (!(streamed instanceof Error)) expect(streamed.status).toBe(413);
    await until("the upload to be gone", () => filesIn(staging(server)).length === 0);
    const path = "/configurations/endpoint_upload_destination/endpoints/f/1/pickle_archive";
    const packed = { method: "PUT", headers: { "Content-Encoding": "gzip" }, body: Bun.gzipSync("x") };
    expect((await server.request(path, packed)).json.message).toContain(
      'Content-Encoding "gzip": expected none',
    );
    expect((await upload(server, "f", Buffer.alloc(1024 * 1024))).status).toBe(201);
    expect(filesIn(staging(server))).toEqual(["endpoints/f/1/pickle_archive"]);
  },
  testMs,
);

test(
  "a name that leads out of the staging folder can't be uploaded to",
  async () => {
    await using server = await startServer();
    for (const name of ["..", "%2e%2e", "a%2fb", "..%2f..%2f..", "x%00y"]) {
      const path = `/configurations/endpoint_upload_destination/endpoints/${name}/1/pickle_archive`;
      const answer = await server.request(path, { method: "PUT", body: "x" });
      expect([400, 404]).toContain(answer.status);
    }
    const path = "/configurations/endpoint_upload_destination/endpoints/x/..%2f..%2fy/pickle_archive";
    expect((await server.request(path, { method: "PUT", body: "x" })).status).toBe(400);
    expect(filesIn(server.path("state"))).toEqual(["tabpy_log.log"]);
  },
  testMs,
);

test(
  "src_path must be inside the staging folder after links are resolved",
  async () => {
    await using server = await startServer();
    const outside = server.path("outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "pickle_archive"), add);
    mkdirSync(join(staging(server), "endpoints"), { recursive: true });
    symlinkSync(outside, join(staging(server), "endpoints", "link"));
    mkdirSync(join(staging(server), "endpoints", "linked"));
    symlinkSync(
      join(outside, "pickle_archive"),
      join(staging(server), "endpoints", "linked", "pickle_archive"),
    );
    const paths = [
      outside,
      `${staging(server)}/../../outside`,
      join(staging(server), "endpoints", "link"),
      join(staging(server), "endpoints", "linked"),
      staging(server),
      "/",
      "relative",
    ];
    for (const src_path of paths) {
      const body = JSON.stringify({ name: "f", type: "model", src_path });
      const answer = await server.request("/endpoints", { method: "POST", body });
      expect({ src_path, status: answer.status, text: answer.text }).toEqual({
        src_path,
        status: 400,
        text: expect.stringContaining("src_path must"),
      });
    }
    expect((await server.request("/endpoints")).json).toEqual({});
  },
  testMs,
);

test(
  "a second server on the same folder sees what the first one deploys, changes and removes",
  async () => {
    await using first = await startServer();
    await using second = await startServer({ env: { TABPY_STATE_PATH: first.path("state") } });
    await deploy(first, "f", add);
    expect((await query(second, "f", [3, 4])).json).toMatchObject({ response: 7, version: 1 });
    await deploy(second, "f", multiply, 2);
    await until("the new version on the first server", async () => {
      const { json } = await query(first, "f", [3, 4]);
      return json.response === 12 && json.version === 2;
    });
    const script = "return tabpy.query('f', 3, 4)['response']";
    expect((await first.evaluate(script)).json).toBe(12);
    await Promise.all([deploy(first, "g", add), deploy(second, "h", add)]);
    expect(Object.keys((await first.request("/endpoints")).json).sort()).toEqual(["f", "g", "h"]);
    await second.request("/endpoints/f", { method: "DELETE" });
    await until("the function to be gone", async () => (await query(first, "f", [3, 4])).status === 404);
  },
  testMs,
);

test(
  "a state file that can't be read stops the start with its line, and stays as it is",
  async () => {
    const first = await startServer();
    await deploy(first, "f", add);
    const state = first.path("state/state.ini");
    const broken = readFileSync(state, "utf8").replace('"version": 1', '"version": ');
    const line = broken.split("\n").findIndex((text) => text.startsWith("f = ")) + 1;
    writeFileSync(state, broken);
    const refused = await first.runAgain();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`Cannot read the endpoint "f" ("${state}" line ${line}): expected JSON`);
    expect(readFileSync(state, "utf8")).toBe(broken);
    await first.stop();
  },
  testMs,
);

test(
  "the error of an archive that doesn't load names the client's Python and cloudpickle",
  async () => {
    await using server = await startServer();
    const versions = { python_version: "3.2.1", cloudpickle_version: "0.1.0" };
    await deploy(server, "f", hostileArchive("builtins", "eval", `("int('x')",)`), 1, versions);
    const { version } = testPython();
    expect((await loaded(server, "f")).last_error).toMatch(
      new RegExp(
        `invalid literal.*; deployed with Python 3\\.2\\.1 and cloudpickle 0\\.1\\.0, loaded with Python ${version.join("\\.")} and cloudpickle \\d`,
      ),
    );
  },
  testMs,
);
