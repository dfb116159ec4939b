// The client library at /tabpy_tools/: the page that pip reads, and the wheel.

import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { clientWheelName, readClientWheel } from "../../src/programs/client-wheel.ts";
import { service, startApp } from "./app-server.ts";

test("GET /tabpy_tools/ links to the wheel, with its hash, in a page that runs nothing", async () => {
  await using server = await startApp();
  const answer = await server.send({ path: "/tabpy_tools/" });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(answer.headers.get("content-security-policy")).toStartWith("default-src 'none'");
  const [, link = "", hash] = /href="([^"#]+)#sha256=([0-9a-f]{64})"/.exec(String(answer.body)) ?? [];
  const wheel = await server.send({ path: new URL(link, "http://x/tabpy_tools/").pathname });
  expect(wheel.status).toBe(200);
  expect(wheel.headers.get("content-type")).toBe("application/octet-stream");
  expect(createHash("sha256").update(wheel.body).digest("hex")).toBe(String(hash));
  expect(wheel.body.equals(readClientWheel().bytes)).toBe(true);
});

test("the client library is served below the subdirectory", async () => {
  await using server = await startApp({ service: { ...service, prefix: "/sub" } });
  expect((await server.send({ path: "/sub/tabpy_tools/" })).status).toBe(200);
  expect((await server.send({ path: `/sub/tabpy_tools/${clientWheelName}` })).status).toBe(200);
  const moved = await server.send({ path: "/sub/tabpy_tools" });
  expect(moved.status).toBe(308);
  expect(new URL(moved.headers.get("location") ?? "", "http://x/sub/tabpy_tools").pathname).toBe(
    "/sub/tabpy_tools/",
  );
  for (const path of ["/tabpy_tools/", `/tabpy_tools/${clientWheelName}`]) {
    expect((await server.send({ path })).status).toBe(404);
  }
});

test("the client library needs credentials as everything does", async () => {
  await using server = await startApp({ authenticate: () => ({ kind: "refused", why: "no credentials" }) });
  for (const path of ["/tabpy_tools", "/tabpy_tools/", `/tabpy_tools/${clientWheelName}`]) {
    expect((await server.send({ path })).status).toBe(401);
  }
});

test("the client library is read-only", async () => {
  await using server = await startApp();
  for (const path of ["/tabpy_tools/", `/tabpy_tools/${clientWheelName}`]) {
    expect((await server.send({ path, method: "HEAD" })).status).toBe(200);
    const refused = await server.send({ path, method: "POST" });
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
  }
  expect((await server.send({ path: "/tabpy_tools/other.whl" })).status).toBe(404);
});

test("readClientWheel() returns a wheel that names its dependencies", () => {
  const { name, bytes } = readClientWheel();
  expect(name).toMatch(/^tabpy_tools-\d+\.\d+\.\d+[^-]*-py3-none-any\.whl$/);
  const text = bytes.toString("latin1"); // nothing in it is compressed
  for (const line of ["Name: tabpy-tools", "Requires-Python: >=3.9", "Requires-Dist: cloudpickle"]) {
    expect(text).toContain(`\n${line}\n`);
  }
});
