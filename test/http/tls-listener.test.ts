// HTTPS connections: versions, bytes that are not TLS, renewal, and the limits that plain HTTP has too.

import { afterAll, expect, test } from "bun:test";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectPlain } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { HttpServer, type ServerOptions } from "../../src/http/server.ts";
import { loadTls } from "../../src/http/tls.ts";
import type { TlsOptions } from "../../src/http/tls-listener.ts";
import { createLogger } from "../support/logger.ts";
import { type CertificateOptions, createAuthority } from "../support/certificates.ts";
import { freePort, sendRaw } from "../support/network.ts";
import { until } from "../support/until.ts";

const authority = createAuthority();
afterAll(() => authority[Symbol.dispose]());
const ca = readFileSync(authority.caFile);

function tlsOf(
  name: string,
  minimumVersion = "TLSv1_2",
  options: CertificateOptions = {},
): Promise<TlsOptions> {
  const log = createLogger(() => {}, "ERROR", "tls.ts");
  return loadTls({ ...authority.make(name, options), keyPassphrase: undefined, minimumVersion }, log);
}
const first = await tlsOf("first", "TLSv1_2", { commonName: "first" });
const second = await tlsOf("second", "TLSv1_2", { commonName: "second" });

async function startHttps(options: Partial<ServerOptions> = {}) {
  const port = await freePort();
  const server = new HttpServer({
    fetch: async (request) => new Response(`${request.method} ${(await request.text()).length}`),
    host: "127.0.0.1",
    port,
    tls: first,
    maxConnections: 100,
    headerTimeoutMs: 20_000,
    requestTimeoutMs: 60_000,
    idleTimeoutMs: 60_000,
    drainTimeoutMs: 1000,
    ...options,
  });
  await server.start();
  return { port, server, [Symbol.asyncDispose]: () => server.stop() };
}

/** A connection after its handshake; `received` has everything that arrived. */
async function open(port: number) {
  const socket = connect({ port, host: "127.0.0.1", ca });
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk;
  });
  socket.on("error", () => {});
  const closed = new Promise<string>((resolve) => socket.on("close", () => resolve(received)));
  await once(socket, "secureConnect");
  const waitFor = (text: string) =>
    until(
      () => `${text} in ${received}`,
      () => received.includes(text),
    );
  return { socket, closed, waitFor, received: () => received };
}

function commonName(socket: TLSSocket): string {
  return String(socket.getPeerCertificate().subject.CN);
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const getAndClose = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/** What `openssl s_client` prints about a connection of one version, with old and new ciphers. */
function sslClient(port: number, version: string): string {
  const command = [
    "openssl",
    "s_client",
    "-connect",
    `127.0.0.1:${port}`,
    version,
    "-cipher",
    "ALL:@SECLEVEL=0",
  ];
  const ran = Bun.spawnSync([...command, "-CAfile", authority.caFile], { stdin: "ignore" });
  return `${ran.stdout}${ran.stderr}`;
}

async function talk(port: number, version: string): Promise<string> {
  // In a process of its own: the server needs this thread.
  const program = `process.stdout.write((${sslClient.toString()})(${port}, ${JSON.stringify(version)}))`;
  const script = program.replace("authority.caFile", JSON.stringify(authority.caFile));
  const child = Bun.spawn([process.execPath, "-e", script], { stdin: "ignore", stdout: "pipe" });
  return child.stdout.text();
}

test("TLS 1.2 and 1.3 are accepted, and 1.1 is refused", async () => {
  await using https = await startHttps();
  for (const version of ["-tls1_2", "-tls1_3"]) {
    const printed = await talk(https.port, version);
    expect(printed).toContain("Verify return code: 0 (ok)");
    expect(printed).toMatch(/Cipher is (TLS_AES|TLS_CHACHA20|ECDHE-\w+-AES\d+-GCM|ECDHE-\w+-CHACHA20)/);
  }
  for (const version of ["-tls1_1", "-tls1"])
    expect(await talk(https.port, version)).toMatch(/alert protocol version|Cipher is \(NONE\)/);
});

test("a minimum of TLS 1.3 refuses 1.2, and one of 1.0 accepts 1.1", async () => {
  await using strict = await startHttps({ tls: await tlsOf("strict", "TLSv1_3") });
  expect(await talk(strict.port, "-tls1_2")).toContain("Cipher is (NONE)");
  expect(await talk(strict.port, "-tls1_3")).toContain("Verify return code: 0 (ok)");
  await using old = await startHttps({ tls: await tlsOf("old", "TLSv1") });
  expect(await talk(old.port, "-tls1_1")).toContain("Verify return code: 0 (ok)");
});

test("old ciphers are refused", async () => {
  await using https = await startHttps();
  for (const ciphers of ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA"]) {
    const socket = connect({ port: https.port, host: "127.0.0.1", ca, ciphers, maxVersion: "TLSv1.2" });
    const outcome = await new Promise((resolve) => {
      socket.on("secureConnect", () => resolve("connected"));
      socket.on("error", () => resolve("refused"));
      socket.on("close", () => resolve("refused"));
    });
    expect(outcome).toBe("refused");
    socket.destroy();
  }
});

test("plain HTTP is answered with 400 and what to do", async () => {
  await using https = await startHttps();
  const answer = await sendRaw(https.port, get);
  expect(answer).toStartWith("HTTP/1.1 400 Bad Request\r\n");
  const body = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")));
  expect(body.message).toBe("This port speaks HTTPS only");
});

test("bytes that only start like TLS end their connection and nothing else", async () => {
  await using https = await startHttps();
  for (const bytes of ["\x16\x03\x01\x00\x05hello", "\x16", `\x16\x03\x01${"x".repeat(20_000)}`])
    await sendRaw(https.port, bytes, (socket) => setImmediate(() => socket.end()));
  const client = await open(https.port);
  client.socket.write(getAndClose);
  expect(await client.closed).toContain("200 OK");
});

test("a connection serves sequential requests, and pipelined ones in order", async () => {
  await using https = await startHttps();
  const client = await open(https.port);
  client.socket.write(`${get}POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc${getAndClose}`);
  expect((await client.closed).match(/(GET|POST) \d+/g)).toEqual(["GET 0", "POST 3", "GET 0"]);
});

test("large bodies arrive completely in both directions", async () => {
  const size = 20 * 1024 * 1024;
  await using https = await startHttps({
    fetch: async (request) => new Response(await request.arrayBuffer()),
  });
  const body = Buffer.alloc(size, "0123456789");
  const answer = await fetch(`https://127.0.0.1:${https.port}/`, { method: "POST", body, tls: { ca } });
  expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
});

test("the app is notified when the client has gone", async () => {
  const called = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<string>();
  await using https = await startHttps({
    fetch: (_request, env) => {
      const { outgoing } = env as { outgoing: import("node:http").ServerResponse };
      outgoing.on("close", () => gone.resolve(outgoing.writableFinished ? "answered" : "gone"));
      called.resolve();
      return new Promise<Response>(() => {});
    },
  });
  const client = await open(https.port);
  client.socket.write(get);
  await called.promise;
  client.socket.destroy();
  expect(await gone.promise).toBe("gone");
});

test("bytes inside TLS that are not HTTP are answered with 400", async () => {
  await using https = await startHttps();
  const client = await open(https.port);
  client.socket.write("what is this\r\n\r\n");
  const answer = await client.closed;
  expect(answer).toStartWith("HTTP/1.1 400 Bad Request\r\n");
  expect(answer).toContain("The request is not HTTP/1.1");
});

test("headers that are too large are answered with 431", async () => {
  await using https = await startHttps();
  const client = await open(https.port);
  client.socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(40_000)}\r\n\r\n`);
  expect(await client.closed).toStartWith("HTTP/1.1 431 ");
});

test("another certificate serves the next connection, and open ones continue", async () => {
  await using https = await startHttps();
  const old = await open(https.port);
  old.socket.write(get);
  await old.waitFor("GET 0");
  https.server.useTls(second);
  const young = await open(https.port);
  expect([commonName(old.socket), commonName(young.socket)]).toEqual(["first", "second"]);
  old.socket.write(getAndClose);
  expect((await old.closed).match(/200 OK/g)).toHaveLength(2);
});

test("a connection that sends nothing, or not enough, is closed at its limit", async () => {
  await using https = await startHttps({ headerTimeoutMs: 300, requestTimeoutMs: 900, idleTimeoutMs: 600 });
  const plain = connectPlain(https.port, "127.0.0.1");
  const silent = new Promise((resolve) => plain.on("close", () => resolve("closed")));
  const [mute, half, bodiless, idle] = await Promise.all([1, 2, 3, 4].map(() => open(https.port)));
  half?.socket.write("GET / HTTP/1.1\r\nHost");
  bodiless?.socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
  idle?.socket.write(get);
  expect(await silent).toBe("closed");
  expect(await mute?.closed).toStartWith("HTTP/1.1 408 Request Timeout\r\n");
  expect(await half?.closed).toStartWith("HTTP/1.1 408 Request Timeout\r\n");
  expect(await bodiless?.closed).toMatch(/^(HTTP\/1.1 408 Request Timeout\r\n|$)/);
  expect(await idle?.closed).toMatch(/^HTTP\/1.1 200 OK\r\n/);
});

test("the time limit for headers also applies to the second request of a connection", async () => {
  await using https = await startHttps({ headerTimeoutMs: 300 });
  const client = await open(https.port);
  client.socket.write(get);
  await client.waitFor("GET 0");
  client.socket.write("GET / HT");
  expect(await client.closed).toContain("HTTP/1.1 408 Request Timeout\r\n");
});

test("a request that is being answered has no time limit here", async () => {
  const release = Promise.withResolvers<void>();
  await using https = await startHttps({
    headerTimeoutMs: 100,
    requestTimeoutMs: 200,
    idleTimeoutMs: 100,
    fetch: async () => {
      await release.promise;
      return new Response("late");
    },
  });
  const slow = await open(https.port);
  slow.socket.write(get);
  const other = await open(https.port);
  await other.closed; // because it was silent: the limits were checked
  release.resolve();
  await slow.waitFor("late");
});

test("a connection beyond the limit is closed at once", async () => {
  await using https = await startHttps({ maxConnections: 3 }); // the last one is not for an address that has two
  const clients = await Promise.all([open(https.port), open(https.port)]);
  const third = connectPlain(https.port, "127.0.0.1");
  third.on("error", () => {});
  await new Promise((resolve) => third.on("close", resolve));
  for (const client of clients) client.socket.write(getAndClose);
  for (const client of clients) expect(await client.closed).toContain("200 OK");
});

test("stop() lets running requests be answered, and closes connections that are idle or in their handshake", async () => {
  const called = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const https = await startHttps({
    drainTimeoutMs: 20_000,
    fetch: async () => {
      called.resolve();
      await release.promise;
      return new Response("done");
    },
  });
  const [running, idle] = [await open(https.port), await open(https.port)];
  const raw = connectPlain(https.port, "127.0.0.1");
  const rawClosed = new Promise((resolve) => raw.on("close", resolve));
  await once(raw, "connect");
  running.socket.write(get);
  await called.promise;
  const stopped = https.server.stop();
  expect(await idle.closed).toBe("");
  await rawClosed;
  release.resolve();
  await stopped;
  expect(await running.closed).toContain("done");
});
