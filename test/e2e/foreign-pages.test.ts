// What a browser sends for pages of other sites, against the executable; with Chromium itself: test/web/browser.test.ts.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { createAuthority } from "../support/certificates.ts";
import { checkCases } from "../support/counts.ts";
import { sendRaw } from "../support/network.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const testMs = 60_000;
const body = '{"script": "return 1", "data": {}}';

/** The status of a script that is sent with these headers; bytes, because clients make Host and Origin themselves. */
async function statusOf(server: TestServer, headers: Readonly<Record<string, string>>): Promise<number> {
  const all = { Host: `127.0.0.1:${server.port}`, "Content-Type": "text/plain", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST /evaluate HTTP/1.1\r\n${lines.join("")}Connection: close\r\n`;
  const answer = await sendRaw(server.port, `${head}Content-Length: ${body.length}\r\n\r\n${body}`);
  return Number(answer.split(" ")[1]);
}

const rebound = { Host: "evil.example:9004", Origin: "http://evil.example:9004" };
const evil = { Origin: "https://evil.example" };
const tableau = { Origin: "https://tableau.example" };
const crossSite = { "Sec-Fetch-Site": "cross-site" };
const named = { Host: "tabpy.corp" };
const everywhere = { TABPY_HOST: "0.0.0.0" };
const anyone = { args: ["--disable-auth-warning"] };

const servers = [
  {
    name: "a server on loopback",
    options: {},
    served: [{}, { Host: "localhost" }],
    refused: [evil, crossSite, rebound, named],
  },
  {
    name: "a server on loopback with an allowed host",
    options: { env: { TABPY_ALLOWED_HOSTS: "other.corp, TabPy.corp" } },
    served: [{}, named],
    refused: [evil, rebound],
  },
  {
    name: "a server that listens everywhere",
    options: { env: everywhere, ...anyone },
    served: [{}, named],
    refused: [evil, crossSite],
  },
  {
    name: "a server that listens everywhere, with an allowed host",
    options: { env: { ...everywhere, TABPY_ALLOWED_HOSTS: "tabpy.corp" }, ...anyone },
    served: [{}, named],
    refused: [evil, rebound],
  },
  {
    name: "a server whose state file allows an origin",
    options: {},
    origin: "https://tableau.example",
    served: [{}, tableau, { ...tableau, ...crossSite }],
    refused: [evil, rebound],
  },
] as const;

test(
  "scripts of pages of other sites are refused, and others run",
  () =>
    checkCases(
      servers,
      (one) => one.name,
      async (one) => {
        using state = temporaryFolder();
        if ("origin" in one) {
          const text = `[Service Info]\nAccess-Control-Allow-Origin = ${one.origin}\n`;
          writeFileSync(state.file("state.ini"), text);
        }
        await using server = await startServer({ ...one.options, state: state.path });
        const outcomes = async (requests: readonly Readonly<Record<string, string>>[]) =>
          Promise.all(
            requests.map(async (headers) => ({ headers, status: await statusOf(server, headers) })),
          );
        expect(await outcomes(one.served)).toEqual(one.served.map((headers) => ({ headers, status: 200 })));
        expect(await outcomes(one.refused)).toEqual(one.refused.map((headers) => ({ headers, status: 403 })));
      },
    ),
  testMs,
);

test(
  "with https, its own Origin is https",
  async () => {
    using authority = createAuthority();
    const files = authority.make("server");
    await using server = await startServer({
      scheme: "https",
      init: { tls: { ca: readFileSync(authority.caFile) } },
      env: {
        TABPY_TRANSFER_PROTOCOL: "https",
        TABPY_CERTIFICATE_FILE: files.certificateFile,
        TABPY_KEY_FILE: files.keyFile,
      },
    });
    const statuses = ["https", "http"].map(async (scheme) => {
      const headers = { Origin: `${scheme}://127.0.0.1:${server.port}` };
      return (await server.evaluate("return 1", {}, { headers })).status;
    });
    expect(await Promise.all(statuses)).toEqual([200, 403]);
  },
  testMs,
);
