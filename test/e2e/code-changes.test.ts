// Modules that change on disk while workers have them imported: no two workers answer with different code for longer than
// it takes to replace them.

import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type StartOptions, startServer, type TestServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { deploy, loaded, query, referringArchive } from "./archives.ts";

/** A server whose scripts can import modules from a folder of the test; `write` writes them. */
async function serverWithModules(options: StartOptions = {}) {
  const folder = temporaryFolder();
  const modules = folder.file("modules");
  const write = (factor: number, path = "factor.py") => {
    mkdirSync(dirname(join(modules, path)), { recursive: true });
    writeFileSync(join(modules, path), `def baseline(values):\n    return [v * ${factor} for v in values]\n`);
  };
  write(1);
  const env = { PYTHONPATH: modules, PYTHONDONTWRITEBYTECODE: "1", TABPY_WORKERS: "2", ...options.env };
  const server = await startServer({ ...options, env });
  return {
    modules,
    server,
    write,
    async [Symbol.asyncDispose]() {
      await server.stop();
      folder[Symbol.dispose]();
    },
  };
}

const imports = "import time, factor\ntime.sleep(0.05)\nreturn factor.baseline(_arg1)[0]";

/** The different answers of eight calls at once, which both workers take. */
async function answersOf(call: () => Promise<{ text: string }>): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: 8 }, call));
  return [...new Set(answers.map(({ text }) => text))];
}

const scripts = (server: TestServer) => answersOf(() => server.evaluate(imports, { _arg1: [7] }));

test("a changed module is noticed, and all workers are replaced", async () => {
  await using setup = await serverWithModules();
  const { server, write } = setup;
  expect(await scripts(server)).toEqual(["7"]);
  for (const factor of [100, 2000]) {
    write(factor);
    const wanted = String(7 * factor);
    await until(`${wanted} from every worker`, async () => String(await scripts(server)) === wanted, 20_000);
    expect(await scripts(server)).toEqual([wanted]);
  }
  await server.waitForLog(/Replacing 2 workers in turn: ".*factor\.py" has changed/);
}, 60_000);

test("a module inside a package counts too", async () => {
  await using setup = await serverWithModules();
  const { server, write } = setup;
  write(1, "own_package/inner.py");
  const call = () =>
    server.evaluate(
      "import time\nfrom own_package.inner import baseline\ntime.sleep(0.05)\nreturn baseline([3])",
    );
  expect(await answersOf(call)).toEqual(["[3]"]);
  write(50, "own_package/inner.py");
  await until("the new code", async () => String(await answersOf(call)) === "[150]", 20_000);
}, 60_000);

test("SIGHUP replaces all workers, without losing a call", async () => {
  await using setup = await serverWithModules({ env: { TABPY_RELOAD_MODULES: "false" } });
  const { server, write } = setup;
  expect(await scripts(server)).toEqual(["7"]);
  write(9);
  const statuses = new Set<number>();
  let isOver = false;
  const calls = Array.from({ length: 4 }, async () => {
    while (!isOver) statuses.add((await server.evaluate(imports, { _arg1: [7] })).status);
  });
  server.process.kill("SIGHUP");
  await until("the new code", async () => String(await scripts(server)) === "63", 20_000);
  isOver = true;
  await Promise.all(calls);
  expect([...statuses]).toEqual([200]);
}, 60_000);

test("a deployment replaces the workers that have imported modules of the user", async () => {
  await using setup = await serverWithModules({ env: { TABPY_RELOAD_MODULES: "false" } });
  const { modules, server, write } = setup;
  const archive = referringArchive(modules, "factor", "baseline");
  await deploy(server, "baseline", archive);
  await loaded(server, "baseline");
  const queries = () =>
    answersOf(async () => ({ text: String((await query(server, "baseline", [[7]])).json.response) }));
  expect(await queries()).toEqual(["7"]);
  write(100);
  await deploy(server, "baseline", archive, 2);
  await loaded(server, "baseline");
  await until("the new code from every worker", async () => String(await queries()) === "700", 20_000);
  expect(await queries()).toEqual(["700"]);
}, 60_000);

test("a worker that imports modules with long paths keeps its place", async () => {
  await using server = await startServer({ env: { TABPY_WORKERS: "1" } });
  // More than the channel takes at once, so that the list of paths arrives in parts.
  const script = `import os, sys, types
for at in range(1900):
  module = types.ModuleType("made_up_%d" % at)
  module.__file__ = "/nowhere/" + "long/" * 400 + "%d.py" % at
  sys.modules[module.__name__] = module
return os.getpid()`;
  const { json: pid } = await server.evaluate(script);
  for (let at = 0; at < 100; at++) await server.request("/info"); // meanwhile the worker is idle
  for (let at = 0; at < 3; at++)
    expect((await server.evaluate("import os\nreturn os.getpid()")).json).toBe(pid);
}, 30_000);
