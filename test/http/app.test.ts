// Routes and what surrounds them: methods, credentials, preflights, headers, subdirectory, compression.

import { expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { authenticateBy } from "../auth/authenticate-by.ts";
import { result, sendBytes, service, startApp } from "./app-server.ts";

const user1 =
  "b8a63cf588cd2399da615042de4732f5b121c4d1042acfb91598a56d2dd3e1d7b9f785213262eddbbd00c7a8c9c3e89d7cb98f31d405cc644b1aeba92c3de40b";
const { authenticate } = authenticateBy(`user1 ${user1}`);
const basic = (pair: string) => ({ Authorization: `Basic ${Buffer.from(pair).toString("base64")}` });
const urls = ["/info", "/evaluate", "/status", "/endpoints", "/endpoints/x", "/query/x", "/", "/nowhere"];

test("GET /info answers what it was given, spaced as Python does", async () => {
  await using server = await startApp({ info: { name: "Ä", versions: { v1: {} } } });
  const answer = await server.send({ path: "/info" });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(String(answer.body)).toBe('{"name": "\\u00c4", "versions": {"v1": {}}}');
});

test("the routes without deployed functions answer as the contract requires", async () => {
  await using server = await startApp();
  const table = [
    ["GET", "/status", 200, {}],
    ["GET", "/endpoints", 200, {}],
    ["GET", "/endpoints/a%20b", 404, { message: "Unknown endpoint", info: "Endpoint a b is not found" }],
    ["GET", "/query/%C3%A4", 404, { message: "UnknownURI", info: "Endpoint 'ä' does not exist" }],
    ["POST", "/query/x", 404, { message: "UnknownURI", info: "Endpoint 'x' does not exist" }],
  ] as const;
  for (const [method, path, status, body] of table) {
    const answer = await server.send({ method, path });
    expect({ path, status: answer.status, body: answer.json() }).toEqual({ path, status, body });
  }
});

for (const path of ["/nowhere", "/info/", "/infos", "/evaluate/x", "/query", "//info", "/INFO"]) {
  test(`GET ${path} is answered with 404 in JSON`, async () => {
    await using server = await startApp();
    const answer = await server.send({ path });
    expect(answer.status).toBe(404);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.json()).toEqual({ message: "Not found", info: "There is nothing at this URL" });
  });
}

const wrongMethods: readonly [method: string, path: string, allow: string][] = [
  ["POST", "/info", "GET, HEAD, OPTIONS"],
  ["DELETE", "/info", "GET, HEAD, OPTIONS"],
  ["GET", "/evaluate", "POST, OPTIONS"],
  ["PUT", "/evaluate", "POST, OPTIONS"],
  ["POST", "/status", "GET, HEAD, OPTIONS"],
  ["PATCH", "/query/x", "GET, POST, OPTIONS"],
  ["POST", "/", "GET, HEAD, OPTIONS"],
];
for (const [method, path, allow] of wrongMethods) {
  test(`${method} ${path} is answered with 405 and what is allowed`, async () => {
    await using server = await startApp();
    const answer = await server.send({ method, path });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe(allow);
    expect(answer.json()).toEqual({ message: "Method not allowed", info: {} });
    expect(server.calls).toEqual([]);
  });
}

test("HEAD of a function is answered with 405 and runs nothing, whatever it sends", async () => {
  for (const body of [undefined, "", '{"data": []}']) {
    await using server = await startApp();
    const answer = await server.send({ method: "HEAD", path: "/query/x", ...(body && { body }) });
    expect([answer.status, answer.headers.get("allow"), answer.body.length]).toEqual([
      405,
      "GET, POST, OPTIONS",
      0,
    ]);
    expect(server.calls).toEqual([]);
  }
});

test("HEAD answers with the headers of GET and no body", async () => {
  await using server = await startApp({ info: { long: "x".repeat(5000) } });
  for (const path of ["/info", "/", "/nowhere"]) {
    const headers = { "Accept-Encoding": "gzip" };
    const get = await server.send({ path, headers });
    const head = await server.send({ method: "HEAD", path, headers });
    expect({ path, status: head.status, length: head.headers.get("content-length") }).toEqual({
      path,
      status: get.status,
      length: String(get.body.length),
    });
    expect(head.body.length).toBe(0);
  }
});

test("without a password file, Basic credentials are answered with 406 on every URL", async () => {
  await using server = await startApp();
  for (const path of urls) {
    const answer = await server.send({ path, headers: basic("user1:P@ssw0rd") });
    expect({ path, status: answer.status, body: answer.json() }).toEqual({
      path,
      status: 406,
      body: {
        message: "Username or password provided when authentication not available.",
        info: "Not Acceptable",
      },
    });
  }
});

test("without a password file, another scheme is ignored", async () => {
  await using server = await startApp();
  for (const Authorization of ["Bearer abc", "Negotiate x", "Basic", "nonsense"]) {
    expect((await server.send({ path: "/info", headers: { Authorization } })).status).toBe(200);
  }
});

const refusedHeaders: Record<string, Record<string, string>> = {
  "no credentials": {},
  "a wrong password": basic("user1:p@ssw0rd"),
  "an unknown user": basic("user2:P@ssw0rd"),
  "an empty name and password": basic(":"),
  "another scheme": { Authorization: "Bearer abc" },
};
for (const [what, headers] of Object.entries(refusedHeaders)) {
  test(`with a password file, ${what} is answered with 401 on every method of every URL`, async () => {
    await using server = await startApp({ authenticate });
    for (const path of urls) {
      for (const method of ["GET", "POST", "PUT", "DELETE"]) {
        const answer = await server.send({ method, path, headers });
        expect({ method, path, status: answer.status, body: answer.json() }).toEqual({
          method,
          path,
          status: 401,
          body: { message: "Invalid credentials provided.", info: "Unauthorized request." },
        });
        expect(answer.headers.get("www-authenticate")).toBe('Basic realm="TabPy Server"');
      }
    }
    expect(server.calls).toEqual([]);
  });
}

test("with a password file, the right credentials are accepted every time", async () => {
  await using server = await startApp({ authenticate });
  for (let turn = 0; turn < 3; turn++) {
    expect((await server.send({ path: "/info", headers: basic("user1:P@ssw0rd") })).status).toBe(200);
  }
});

test("the realm is the service's name without characters that would end or break the header", async () => {
  await using server = await startApp({
    authenticate,
    service: { ...service, name: 'My "Größe"\\\r\nX: y' },
  });
  const answer = await server.send({ path: "/info" });
  expect(answer.headers.get("www-authenticate")).toBe('Basic realm="My GreX: y"');
});

test("OPTIONS answers 200 {} without credentials on every URL", async () => {
  await using server = await startApp({ authenticate });
  for (const path of urls) {
    const answer = await server.send({ method: "OPTIONS", path });
    expect({ path, status: answer.status, body: String(answer.body) }).toEqual({
      path,
      status: 200,
      body: "{}",
    });
  }
});

test("the CORS headers of the service are on every answer, including errors", async () => {
  const corsHeaders = {
    "Access-Control-Allow-Origin": "https://tableau.example",
    "Access-Control-Allow-Headers": "Origin, Content-Type",
    "Access-Control-Allow-Methods": "GET, OPTIONS, POST",
  };
  await using server = await startApp({
    service: { ...service, corsHeaders },
    limits: { maxBytes: 1000 },
    execute: async () => {
      throw new Error("a fault of ours");
    },
  });
  const requests = [
    [200, { path: "/info" }],
    [200, { path: "/info", headers: { "Accept-Encoding": "gzip" } }],
    [200, { path: "/", headers: { "Accept-Encoding": "gzip" } }],
    [200, { method: "OPTIONS", path: "/evaluate" }],
    [404, { path: "/nowhere" }],
    [405, { method: "POST", path: "/info" }],
    [406, { path: "/info", headers: basic("a:b") }],
    [413, { method: "POST", path: "/evaluate", body: "x".repeat(1001) }],
    [500, { method: "POST", path: "/evaluate", body: "{}" }],
  ] as const;
  for (const [status, request] of requests) {
    const answer = await server.send(request);
    expect(answer.status).toBe(status);
    for (const [name, value] of Object.entries(corsHeaders)) {
      expect({ request, name, value: answer.headers.get(name) }).toEqual({ request, name, value });
    }
    expect(answer.headers.get("vary")).toBe("Accept-Encoding");
  }
});

test("no CORS header is sent when none is configured", async () => {
  await using server = await startApp();
  const answer = await server.send({ path: "/info", headers: { Origin: "https://tableau.example" } });
  expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
});

test("with a subdirectory, everything is below it and nothing beside it", async () => {
  await using server = await startApp({ service: { ...service, prefix: "/sub/dir" }, info: { ok: true } });
  expect((await server.send({ path: "/sub/dir/info" })).json()).toEqual({ ok: true });
  expect((await server.send({ method: "POST", path: "/sub/dir/evaluate", body: "{}" })).status).toBe(200);
  for (const path of ["/sub/dir/", "/sub/dir", "/sub/dir/index.html"]) {
    const type = (await server.send({ path })).headers.get("content-type");
    expect({ path, type }).toEqual({ path, type: "text/html; charset=utf-8" });
  }
  for (const path of ["/info", "/", "/sub/info", "/sub/dirinfo", "/sub/dir/sub/dir/info"]) {
    expect({ path, status: (await server.send({ path })).status }).toEqual({ path, status: 404 });
  }
});

test("an internal error is answered without its text, which is logged", async () => {
  await using server = await startApp({
    execute: async () => {
      throw new Error("secret detail");
    },
  });
  const answer = await server.send({ method: "POST", path: "/evaluate", body: "{}" });
  expect(answer.status).toBe(500);
  expect(answer.json()).toEqual({ message: "Internal server error", info: {} });
  expect(server.logLines.join("\n")).toContain("secret detail");
});

test("HTTP/1.0 without a Host is answered", async () => {
  await using server = await startApp();
  expect((await sendBytes(server.port, "GET /info HTTP/1.0\r\n\r\n")).status).toBe(200);
});

for (const [what, request] of Object.entries({
  "an invalid Host": { path: "/info", headers: { Host: "a b/c" } },
  "a backslash in the path": { path: "/in\\fo" },
})) {
  test(`${what} is answered with 400 in JSON`, async () => {
    await using server = await startApp();
    const answer = await server.send(request);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ message: "The URL or the Host of the request can't be read" });
  });
}

test("bytes that are not HTTP are answered with 400 in JSON", async () => {
  await using server = await startApp();
  const answer = await sendBytes(server.port, "nonsense\r\n\r\n");
  expect(answer.status).toBe(400);
  expect(answer.json()).toEqual({ message: "The request is not HTTP/1.1", info: {} });
});

test("headers of more than 32 KiB are answered with 431 in JSON", async () => {
  await using server = await startApp();
  const answer = await server.send({ path: "/info", headers: { "X-Long": "x".repeat(40_000) } });
  expect(answer.status).toBe(431);
  expect(answer.json()).toEqual({ message: "The headers of the request are too large", info: {} });
});

test("stop() lets a running call finish", async () => {
  const started = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const server = await startApp({
    execute: async () => {
      started.resolve();
      await finish.promise;
      return result('"done"');
    },
  });
  const answer = server.send({ method: "POST", path: "/evaluate", body: "{}" });
  await started.promise;
  const stopped = server[Symbol.asyncDispose]();
  finish.resolve();
  expect(String((await answer).body)).toBe('"done"');
  await stopped;
  expect(server.send({ path: "/info" })).rejects.toThrow();
});

const packed = [
  "gzip",
  "GZIP",
  "deflate, gzip",
  "gzip;q=1",
  "gzip; q=0.5",
  "br;q=1, gzip;q=0.1",
  "*",
  "gzip;q=1.000",
];
const plain = [
  "",
  "identity",
  "br",
  "deflate",
  "gzip;q=0",
  "gzip; q=0.0",
  "gzip;q=0.000",
  "notgzip",
  "gzipped",
  "*;q=0",
];
for (const [accept, isPacked] of [
  ...packed.map((header) => [header, true] as const),
  ...plain.map((header) => [header, false] as const),
]) {
  test(`Accept-Encoding "${accept}" gets ${isPacked ? "gzip" : "no compression"}`, async () => {
    const text = JSON.stringify("long ".repeat(1000));
    await using server = await startApp({ execute: async () => result(text) });
    const headers = { "Accept-Encoding": accept };
    const answer = await server.send({ method: "POST", path: "/evaluate", body: "{}", headers });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-encoding")).toBe(isPacked ? "gzip" : null);
    expect(answer.headers.get("content-length")).toBe(String(answer.body.length));
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(String(isPacked ? gunzipSync(answer.body) : answer.body)).toBe(text);
  });
}

test("answers of less than 1 KiB are not compressed", async () => {
  const headers = { "Accept-Encoding": "gzip" };
  for (const [length, encoding] of [
    [1023, null],
    [1024, "gzip"],
  ] as const) {
    await using server = await startApp({ execute: async () => result("1".repeat(length)) });
    const answer = await server.send({ method: "POST", path: "/evaluate", body: "{}", headers });
    expect(answer.headers.get("content-encoding")).toBe(encoding);
  }
});

test("an error that is compressed keeps its status and headers", async () => {
  const raised = { type: "E", message: "x".repeat(2000), line: null, frames: [] };
  await using server = await startApp({ execute: async () => ({ kind: "raised", raised }) });
  const headers = { "Accept-Encoding": "gzip" };
  const answer = await server.send({ method: "POST", path: "/evaluate", body: "{}", headers });
  expect([answer.status, answer.headers.get("content-encoding")]).toEqual([500, "gzip"]);
  expect(JSON.parse(String(gunzipSync(answer.body))).message).toBe("Error processing script");
});

test("nothing is compressed when gzip is switched off", async () => {
  await using server = await startApp({ limits: { isGzipEnabled: false }, info: { long: "x".repeat(5000) } });
  const answer = await server.send({ path: "/info", headers: { "Accept-Encoding": "gzip" } });
  expect(answer.headers.get("content-encoding")).toBeNull();
});
