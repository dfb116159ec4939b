// What a browser sends for pages of other sites is refused without a password file: Origin, Sec-Fetch-Site and Host.

import { describe, expect, test } from "bun:test";
import { checkCases } from "../support/counts.ts";
import { type AppServer, type Request, service, startApp, type TestOptions } from "./app-server.ts";

const script = { method: "POST", path: "/evaluate", body: '{"script": "return 1", "data": {}}' };
const tableau = "https://tableau.example";
const cors = (origin: string): TestOptions => ({
  service: { ...service, corsHeaders: { "Access-Control-Allow-Origin": origin } },
});
type Headers = Readonly<Record<string, string>>;

async function statusOf(server: AppServer, headers: Headers, request: Request = script): Promise<number> {
  return (await server.send({ ...request, headers })).status;
}

test("a page of another origin runs no script, and reads why", async () => {
  await using server = await startApp();
  const headers = { Origin: "https://evil.example", "Content-Type": "text/plain" };
  const answer = await server.send({ ...script, headers });
  expect([answer.status, answer.json()]).toEqual([
    403,
    {
      message: 'Cannot serve a page of "https://evil.example"',
      info: "Expected this server's own Origin, or the one that Access-Control-Allow-Origin of state.ini allows",
    },
  ]);
  expect(server.calls).toEqual([]);
  expect(server.logLines.join("\n")).toContain("Responding with status=403");
});

test("a page of another origin is refused on every method of every URL but OPTIONS", async () => {
  await using server = await startApp();
  for (const path of [
    "/info",
    "/evaluate",
    "/status",
    "/endpoints",
    "/endpoints/x",
    "/query/x",
    "/",
    "/no",
  ]) {
    for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]) {
      const status = await statusOf(server, { Origin: "null" }, { method, path });
      expect({ method, path, status }).toEqual({ method, path, status: method === "OPTIONS" ? 200 : 403 });
    }
  }
});

interface Case {
  readonly name: string;
  readonly headers: (port: number) => Headers;
  readonly options?: TestOptions;
  readonly status: number;
}

const headerCases: readonly Case[] = [
  { name: "neither Origin nor Sec-Fetch-Site", headers: () => ({}), status: 200 },
  { name: "its own Origin", headers: (port) => ({ Origin: `http://127.0.0.1:${port}` }), status: 200 },
  {
    name: "its own Origin, by the name it was asked at",
    headers: () => ({ Host: "Tabpy.corp:9004", Origin: "http://tabpy.corp:9004" }),
    status: 200,
  },
  {
    name: "its own Origin, from its own page",
    headers: (port) => ({ Origin: `http://127.0.0.1:${port}`, "Sec-Fetch-Site": "same-origin" }),
    status: 200,
  },
  { name: "an address that was typed in", headers: () => ({ "Sec-Fetch-Site": "none" }), status: 200 },
  { name: "another port", headers: (port) => ({ Origin: `http://127.0.0.1:${port + 1}` }), status: 403 },
  { name: "another scheme", headers: (port) => ({ Origin: `https://127.0.0.1:${port}` }), status: 403 },
  { name: "another name", headers: (port) => ({ Origin: `http://localhost:${port}` }), status: 403 },
  { name: "an Origin without a name", headers: () => ({ Origin: "null" }), status: 403 },
  { name: "an empty Origin", headers: () => ({ Origin: "" }), status: 403 },
  { name: "Sec-Fetch-Site: cross-site", headers: () => ({ "Sec-Fetch-Site": "cross-site" }), status: 403 },
  {
    name: "the Origin that CORS allows, from another site",
    headers: () => ({ Origin: tableau, "Sec-Fetch-Site": "cross-site" }),
    options: cors(tableau),
    status: 200,
  },
  {
    name: "another Origin than CORS allows",
    headers: () => ({ Origin: "https://evil.example" }),
    options: cors(tableau),
    status: 403,
  },
  {
    name: "any Origin, when CORS allows all",
    headers: () => ({ Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" }),
    options: cors("*"),
    status: 200,
  },
  {
    name: "another Origin, with a password file",
    headers: () => ({ Origin: "https://evil.example" }),
    options: { authenticate: () => ({ kind: "verified", user: "alice" }), allowedHosts: new Set() },
    status: 200,
  },
];

test("Origin and Sec-Fetch-Site decide whether a script runs", () =>
  checkCases(
    headerCases,
    (one) => one.name,
    async ({ headers, options, status }) => {
      await using server = await startApp(options);
      expect(await statusOf(server, headers(server.port))).toBe(status);
      expect(server.calls.length).toBe(status === 200 ? 1 : 0);
    },
  ));

describe("Host", () => {
  const served = [
    "localhost",
    "LOCALHOST:9004",
    "localhost.",
    "tabpy.localhost:80",
    "127.0.0.1",
    "127.1.2.3:9004",
    "[::1]:9004",
    "[::1]",
    "tabpy.corp",
    "TabPy.corp:443",
  ];
  const refused = [
    "evil.example",
    "evil.example:9004",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "notlocalhost",
    "tabpy.corp.evil.example",
    "10.0.0.1",
    "[::2]",
    "0.0.0.0",
  ];
  const hostCases = [
    ...served.map((host) => ({ host, status: 200 })),
    ...refused.map((host) => ({ host, status: 403 })),
  ];

  test("only a loopback or an allowed one is served where hosts are checked", async () => {
    await using server = await startApp({ allowedHosts: new Set(["tabpy.corp"]) });
    await checkCases(
      hostCases,
      ({ host }) => host,
      async ({ host, status }) => expect(await statusOf(server, { Host: host })).toBe(status),
    );
  });

  test("a page whose name was made to point here can't read an answer", async () => {
    await using server = await startApp({ allowedHosts: new Set() });
    const headers = { Host: "evil.example:9004", Origin: "http://evil.example:9004" };
    const answer = await server.send({ ...script, headers });
    expect([answer.status, answer.json()]).toEqual([
      403,
      {
        message: 'Cannot be asked as Host "evil.example:9004"',
        info: "Expected localhost, a loopback address, or a name of TABPY_ALLOWED_HOSTS",
      },
    ]);
    expect(server.calls).toEqual([]);
  });

  test("any is served where hosts are not checked", async () => {
    await using server = await startApp();
    expect(await statusOf(server, { Host: "tabpy.corp" })).toBe(200);
  });

  test("a long one is not repeated in full", async () => {
    await using server = await startApp({ allowedHosts: new Set() });
    const answer = await server.send({ ...script, headers: { Host: "x".repeat(5000) } });
    expect([answer.status, answer.body.length < 400]).toEqual([403, true]);
  });
});
