// A state.ini that was cut off while the server runs: 503 for changes, calls go on, and `tabpy state accept` decides.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../support/binary.ts";
import { restart, startServer, type TestServer } from "../support/server.ts";
import { add, deploy, query } from "./archives.ts";

const names = ["a", "b", "c", "d"];

/** A server with four functions, whose state.ini is cut off behind the first one. */
async function startDamaged(): Promise<{ server: TestServer; path: string }> {
  const server = await startServer({ env: { TABPY_WORKERS: "1" } });
  for (const name of names) expect((await deploy(server, name, add)).status).toBe(201);
  const path = join(server.path("state"), "state.ini");
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.slice(0, text.indexOf("\nb = ") + 1));
  return { server, path };
}

async function expectRefused(server: TestServer): Promise<void> {
  const refused = await server.request("/endpoints/a", { method: "DELETE" });
  expect(refused).toMatchObject({
    status: 503,
    json: {
      message: expect.stringMatching(/state\.ini", which has lost 3 of its 4 functions: restore it from/),
    },
  });
  expect((await deploy(server, "z", add)).status).toBe(503);
  expect(Object.keys((await server.request("/endpoints")).json)).toEqual(names);
  expect((await query(server, "d", [3, 5])).json).toMatchObject({ response: 8 });
}

test("changes to a state.ini that was cut off are refused until tabpy state accept, without a restart", async () => {
  const { server, path } = await startDamaged();
  await using _ = server;
  await expectRefused(server);
  await server.waitForLog("and changes are refused"); // once the file has rested
  const accepted = await run(["state", "accept"], { TABPY_STATE_PATH: server.path("state") });
  expect(accepted).toMatchObject({
    code: 0,
    stdout: `Accepted "${path}" with 1 functions; "${path}.bak" had 4\n`,
  });
  expect(Object.keys((await server.request("/endpoints")).json)).toEqual(["a"]);
  expect((await deploy(server, "z", add)).status).toBe(201);
  await server.waitForLog("is used again");
});

test("a server that starts with a state.ini that was cut off serves what its copy has", async () => {
  const { server } = await startDamaged();
  await using again = await restart(server, { env: { TABPY_WORKERS: "1" } });
  await again.waitForLog("has lost 3 of its 4 functions");
  await expectRefused(again);
  const path = join(again.path("state"), "state.ini");
  writeFileSync(path, readFileSync(`${path}.bak`));
  expect((await deploy(again, "z", add)).status).toBe(201);
  expect(Object.keys((await again.request("/endpoints")).json)).toEqual([...names, "z"]);
});

test("tabpy state accept refuses a state.ini that can't be read", async () => {
  const { server, path } = await startDamaged();
  await using _ = server;
  writeFileSync(path, "[Meta\n");
  const outcome = await run(["state", "accept"], { TABPY_STATE_PATH: server.path("state") });
  expect(outcome).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("line 1") });
  const usage = await run(["state"]);
  expect(usage).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Missing command: expected accept"),
  });
});
