import { expect, test } from "bun:test";
import { once } from "node:events";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { byteLength, type Reply } from "../../src/executor/executor.ts";
import { MemoryAccount } from "../../src/memory-account.ts";
import { type AppServer, type Request, result, startApp } from "./app-server.ts";

const limit = 1000;
const tooLarge = (size: number) => ({
  message: `Request with size ${size} exceeded limit of ${limit} (bytes).`,
  info: "Request Entity Too Large",
});

function evaluate(server: AppServer, request: Request) {
  return server.send({ method: "POST", path: "/evaluate", ...request });
}

test("a body reaches the worker byte for byte", async () => {
  await using server = await startApp();
  const body = Buffer.from([0, 1, 127, 128, 255, 10, 13, 0]);
  expect((await evaluate(server, { body })).status).toBe(200);
  expect(server.calls.map((call) => Buffer.concat(call.body))).toEqual([body]);
});

test("a body in chunks reaches the worker as one", async () => {
  await using server = await startApp();
  await evaluate(server, { body: ["ab", "c", "defg"] });
  expect(server.calls.map((call) => String(Buffer.concat(call.body)))).toEqual(["abcdefg"]);
});

test("a request without a body has an empty one", async () => {
  await using server = await startApp();
  await evaluate(server, {});
  expect(server.calls.map((call) => byteLength(call.body))).toEqual([0]);
});

test("the Content-Type doesn't matter", async () => {
  await using server = await startApp();
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  await evaluate(server, { body: "{}", headers });
  expect(server.calls.map((call) => String(Buffer.concat(call.body)))).toEqual(["{}"]);
});

test("a body of exactly the limit is accepted", async () => {
  await using server = await startApp({ limits: { maxBytes: limit } });
  expect((await evaluate(server, { body: "x".repeat(limit) })).status).toBe(200);
  expect((await evaluate(server, { body: ["x".repeat(limit)] })).status).toBe(200);
});

const overLimit: Record<string, { request: Request; size: number }> = {
  "an announced body": { request: { body: "x".repeat(limit + 1) }, size: limit + 1 },
  "a chunked body": { request: { body: ["x".repeat(600), "y".repeat(600)] }, size: 1200 },
  "a gzip body that inflates": {
    request: { body: gzipSync("x".repeat(limit * 500)), headers: { "Content-Encoding": "gzip" } },
    size: limit + 1,
  },
  "a chunked gzip body that inflates": {
    request: { body: [gzipSync("x".repeat(limit * 500))], headers: { "Content-Encoding": "gzip" } },
    size: limit + 1,
  },
};
for (const [what, { request, size }] of Object.entries(overLimit)) {
  test(`${what} over the limit is answered with 413 and never reaches a worker`, async () => {
    await using server = await startApp({ limits: { maxBytes: limit } });
    const answer = await evaluate(server, request);
    expect(answer.status).toBe(413);
    expect(answer.json()).toEqual(tooLarge(size));
    expect(server.calls).toEqual([]);
  });
}

test("a Content-Length over the limit is answered with 413 before its body arrives, whatever the URL", async () => {
  await using server = await startApp({ limits: { maxBytes: limit } });
  for (const path of ["/evaluate", "/info", "/nowhere"]) {
    const answer = await server.send({
      method: "POST",
      path,
      headers: { "Content-Length": "5000", Connection: "keep-alive" },
    });
    expect({ path, status: answer.status, body: answer.json() }).toEqual({
      path,
      status: 413,
      body: tooLarge(5000),
    });
  }
});

for (const encoding of ["gzip", "x-gzip", "GZIP"]) {
  test(`Content-Encoding ${encoding} is decoded`, async () => {
    await using server = await startApp();
    const headers = { "Content-Encoding": encoding };
    await evaluate(server, { body: gzipSync("plain text"), headers });
    expect(server.calls.map((call) => String(Buffer.concat(call.body)))).toEqual(["plain text"]);
  });
}

test("a body that is not gzip despite its Content-Encoding is answered with 400", async () => {
  await using server = await startApp();
  const whole = gzipSync("plain text");
  for (const body of ["plain text", whole.subarray(0, whole.length - 9)]) {
    const answer = await evaluate(server, { body, headers: { "Content-Encoding": "gzip" } });
    expect(answer.status).toBe(400);
    expect(answer.json()).toEqual({
      message: "The body of the request is not gzip, despite its Content-Encoding",
      info: {},
    });
  }
  expect(server.calls).toEqual([]);
});

for (const encoding of ["deflate", "br", "gzip, gzip", "zstd", "gzip, identity"]) {
  test(`Content-Encoding ${encoding} is answered with 415 and what is expected`, async () => {
    await using server = await startApp();
    const answer = await evaluate(server, { body: "{}", headers: { "Content-Encoding": encoding } });
    expect([answer.status, answer.json(), answer.headers.get("accept-encoding")]).toEqual([
      415,
      { message: `Cannot read a body with Content-Encoding "${encoding}": expected gzip or none`, info: {} },
      "gzip, identity",
    ]);
    expect(server.calls).toEqual([]);
  });
}

test("Content-Encoding identity is none", async () => {
  await using server = await startApp();
  await evaluate(server, { body: "plain text", headers: { "Content-Encoding": "Identity" } });
  expect(server.calls.map((call) => String(Buffer.concat(call.body)))).toEqual(["plain text"]);
});

test("an unknown Content-Encoding is ignored when gzip is switched off", async () => {
  await using server = await startApp({ limits: { isGzipEnabled: false } });
  const answer = await evaluate(server, { body: "{}", headers: { "Content-Encoding": "br" } });
  expect(answer.status).toBe(200);
});

test("gzip is not decoded when it is switched off", async () => {
  await using server = await startApp({ limits: { isGzipEnabled: false } });
  const body = gzipSync("plain text");
  await evaluate(server, { body, headers: { "Content-Encoding": "gzip" } });
  expect(server.calls.map((call) => Buffer.concat(call.body))).toEqual([body]);
});

test("bodies that exceed TABPY_MAX_BUFFERED_MB together are answered with 503 until others are released", async () => {
  const started = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<Reply>();
  let calls = 0;
  await using server = await startApp({
    memory: new MemoryAccount(1500),
    execute: () => {
      if (++calls > 1) return Promise.resolve(result("2"));
      started.resolve();
      return finish.promise;
    },
  });
  const body = "x".repeat(1000);
  const first = evaluate(server, { body });
  await started.promise;

  const refused = await evaluate(server, { body });
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(refused.json()).toEqual({
    message: "The server is busy",
    info: "the requests in progress use as much memory as TABPY_MAX_BUFFERED_MB allows",
  });
  expect(calls).toBe(1);

  finish.resolve(result("1"));
  expect((await first).status).toBe(200);
  expect((await evaluate(server, { body })).status).toBe(200);
});

test("a refused body is released", async () => {
  await using server = await startApp({ limits: { maxBytes: limit }, memory: new MemoryAccount(1500) });
  const headers = { "Content-Encoding": "gzip" };
  for (let turn = 0; turn < 5; turn++) {
    expect((await evaluate(server, { body: "n".repeat(900), headers })).status).toBe(400);
    expect((await evaluate(server, { body: ["x".repeat(900), "x".repeat(900)] })).status).toBe(413);
  }
  expect((await evaluate(server, { body: "x".repeat(limit) })).status).toBe(200);
});

test("the call of a client that disconnects during its body never reaches a worker", async () => {
  await using server = await startApp();
  const socket = connect({ host: "127.0.0.1", port: server.port });
  socket.write("POST /evaluate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly this");
  socket.end();
  socket.resume();
  await once(socket, "close");
  expect((await server.send({ path: "/info" })).status).toBe(200);
  expect(server.calls).toEqual([]);
});
