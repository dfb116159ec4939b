// The state folder on a disk that is full or read-only: the answer names the file and the reason, and calls go on.

import { expect, test } from "bun:test";
import { startServer } from "../support/server.ts";
import { mountSmallDisk } from "../support/small-disk.ts";
import { add, deploy, query, upload } from "./archives.ts";

const workers = { TABPY_WORKERS: "1" };

test("a change, a removal and an upload on a full disk are answered with 507, and succeed once there is room", async () => {
  using disk = mountSmallDisk("1m");
  if (disk === undefined) return;
  await using server = await startServer({ env: { ...workers, TABPY_STATE_PATH: disk.path } });
  expect((await deploy(server, "f", add)).status).toBe(201);
  const change = () =>
    server.request("/endpoints/f", {
      method: "PUT",
      body: JSON.stringify({ src_path: `${disk.path}/staging/gone`, description: "new" }),
    });
  const remove = () => server.request("/endpoints/f", { method: "DELETE" });
  const list = async () => (await server.request("/endpoints")).json;
  const before = await list();
  disk.fill();
  const message = `Cannot write "${disk.path}/state.ini": the disk is full`;
  for (const act of [change, remove]) expect(await act()).toMatchObject({ status: 507, json: { message } });
  expect((await upload(server, "f", add, 2)).status).toBe(507);
  expect(await list()).toEqual(before);
  expect((await query(server, "f", [3, 5])).json.response).toBe(8);
  disk.empty();
  expect((await change()).status).toBe(200);
  expect((await list()).f.description).toBe("new");
  expect((await remove()).status).toBe(204);
  expect(server.log).not.toContain("Internal server error");
});

test("a server on a read-only state folder warns, answers calls, and refuses changes with 503", async () => {
  using disk = mountSmallDisk("1m");
  if (disk === undefined) return;
  const env = { ...workers, TABPY_STATE_PATH: disk.path };
  {
    await using server = await startServer({ env });
    expect((await deploy(server, "f", add)).status).toBe(201);
  }
  disk.setReadOnly(true);
  await using server = await startServer({ env });
  await server.waitForLog(
    `Functions can't be deployed, changed or removed: Cannot write "${disk.path}": the file system is read-only`,
  );
  expect((await query(server, "f", [3, 5])).json.response).toBe(8);
  for (const answer of [
    await server.request("/endpoints/f", { method: "DELETE" }),
    await upload(server, "f", add, 2),
  ]) {
    expect(answer).toMatchObject({
      status: 503,
      json: { message: expect.stringMatching(/^Cannot write ".*": the file system is read-only$/) },
    });
  }
});
