import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { MemoryAccount } from "../../src/memory-account.ts";
import { until } from "../support/until.ts";
import { type AppServer, startApp } from "./app-server.ts";

const megabyte = 1024 * 1024;
const limitBytes = 64 * megabyte;

/** An app whose calls have a result of `bytes`, which counts in `memory`. */
async function startLarge(bytes: number, timeoutMs = 60_000): Promise<AppServer & { memory: MemoryAccount }> {
  const memory = new MemoryAccount(limitBytes);
  const server = await startApp({
    memory,
    limits: { timeoutMs },
    execute: async () => {
      const held = memory.hold(bytes);
      if (held === undefined) return { kind: "too-large" };
      return { kind: "result", body: Buffer.alloc(bytes, "x"), held };
    },
  });
  return Object.assign(server, { memory });
}

/** Asks for a result, and reads nothing after its begin. */
async function leaveUnread(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("POST /evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
  await new Promise<void>((resolve) => socket.once("data", () => resolve(socket.pause() && undefined)));
  return socket;
}

const post = { method: "POST", path: "/evaluate", body: "{}" };

test("a large result is sent whole and released", async () => {
  await using server = await startLarge(10 * megabyte + 1);
  const answer = await server.send(post);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(answer.headers.get("content-length")).toBe(String(10 * megabyte + 1));
  expect(answer.body.equals(Buffer.alloc(10 * megabyte + 1, "x"))).toBe(true);
  expect(server.memory.usedBytes).toBe(0);
});

test("a large result is compressed for a client that accepts gzip", async () => {
  await using server = await startLarge(10 * megabyte);
  const answer = await server.send({ ...post, headers: { "Accept-Encoding": "gzip" } });
  expect(answer.headers.get("content-encoding")).toBe("gzip");
  expect(gunzipSync(answer.body).equals(Buffer.alloc(10 * megabyte, "x"))).toBe(true);
  expect(server.memory.usedBytes).toBe(0);
});

test("a large result is sent as it is when there is no memory to compress it", async () => {
  await using server = await startLarge(10 * megabyte);
  const others = server.memory.hold(limitBytes * (15 / 16) - 10 * megabyte - 1000);
  const answer = await server.send({ ...post, headers: { "Accept-Encoding": "gzip" } });
  expect([answer.status, answer.headers.get("content-encoding"), answer.body.length]).toEqual([
    200,
    null,
    10 * megabyte,
  ]);
  others?.release();
  expect(server.memory.usedBytes).toBe(0);
});

test("a result for which there is no memory is answered with 503", async () => {
  await using server = await startLarge(limitBytes);
  const answer = await server.send(post);
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
});

test("a result is released when its client goes", async () => {
  await using server = await startLarge(20 * megabyte);
  const socket = await leaveUnread(server.port);
  expect(server.memory.usedBytes).toBe(20 * megabyte);
  socket.destroy();
  await until("the release", () => server.memory.usedBytes === 0);
});

test("a client that reads nothing is disconnected after the time limit", async () => {
  await using server = await startLarge(20 * megabyte, 200);
  const socket = await leaveUnread(server.port);
  await until("the release", () => server.memory.usedBytes === 0);
  socket.destroy();
});

test("the client that has read nothing for longest makes room for others after three seconds", async () => {
  await using server = await startLarge(25 * megabyte);
  const sockets = [await leaveUnread(server.port), await leaveUnread(server.port)];
  expect((await server.send(post)).status).toBe(503);
  await until("a place", async () => (await server.send(post)).status === 200);
  expect(server.memory.usedBytes).toBe(25 * megabyte);
  for (const socket of sockets) socket.destroy();
  await until("the release", () => server.memory.usedBytes === 0);
});
