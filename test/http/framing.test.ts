// Requests that a proxy may understand otherwise: refused with 400, and their connection closed before what follows.

import { expect, test } from "bun:test";
import { checkCases } from "../support/counts.ts";
import { sendBytes, startApp } from "./app-server.ts";

const body = "2\r\n{}\r\n0\r\n\r\n";
const coded = (...codings: readonly string[]) =>
  `POST /evaluate HTTP/1.1\r\nHost: a\r\n${codings.map((one) => `Transfer-Encoding: ${one}\r\n`).join("")}\r\n${body}`;

const refused: Readonly<Record<string, string>> = {
  "an unknown coding before chunked": coded("cow, chunked"),
  "an unknown coding in a header of its own": coded("cow", "chunked"),
  "an unknown coding behind chunked": coded("chunked", "cow"),
  "an unknown coding alone": coded("cow"),
  "a coding that this server does not read": coded("gzip, chunked"),
  "chunked twice": coded("chunked", "chunked"),
  "chunked in HTTP/1.0": `POST /evaluate HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
  "Content-Length beside chunked": `POST /evaluate HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
};

test("an ambiguous end of the body is answered with 400, and nothing behind it is read", () =>
  checkCases(
    Object.entries(refused),
    ([name]) => name,
    async ([, bytes]) => {
      await using server = await startApp();
      const next = "GET /info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
      const answer = await sendBytes(server.port, bytes + next); // until the server closes the connection
      expect(answer.status).toBe(400);
      expect(String(answer.body)).not.toContain("HTTP/1.1 ");
      expect(server.calls).toEqual([]);
    },
  ));

test("chunked in any case is read", async () => {
  await using server = await startApp();
  const answer = await sendBytes(server.port, coded("Chunked").replace("Host", "Connection: close\r\nHost"));
  expect([answer.status, server.calls.length]).toEqual([200, 1]);
});

const get = (headers: string) => `GET /info HTTP/1.1\r\n${headers}\r\n`;

test("two Host headers are answered with 400, whatever they contain", () =>
  checkCases(
    ["Host: a\r\nHost: b\r\n", "Host: a\r\nhost: a\r\n", "Host: a\r\nX-A: b\r\nHOST:\r\n"],
    String,
    async (hosts) => {
      await using server = await startApp();
      const answer = await sendBytes(server.port, get(hosts) + get("Host: a\r\nConnection: close\r\n"));
      expect([answer.status, answer.json()]).toEqual([
        400,
        { message: "Cannot read a request with two Host headers: expected one", info: {} },
      ]);
    },
  ));

test("two Host headers of a later request are answered with 400 when it passed a proxy", () =>
  checkCases(
    ["X-Forwarded-For: 10.0.0.1", "X-Real-IP: 10.0.0.1", "Forwarded: for=10.0.0.1", "Via: 1.1 proxy"],
    String,
    async (header) => {
      await using server = await startApp();
      const later = get(`Host: a\r\n${header}\r\nHost: b\r\n`);
      const answer = await sendBytes(server.port, get("Host: a\r\n") + later);
      expect(String(answer.body)).toMatch(/^{}HTTP\/1\.1 400 /);
    },
  ));

test("a chunk of an invalid or a wrong size is answered with 400 at once", () =>
  checkCases(
    [
      "zz\r\nabc\r\n0\r\n\r\n",
      "-1\r\nabc\r\n0\r\n\r\n",
      "5\r\nabcdefghijkl\r\n0\r\n\r\n",
      "5\r\nabcde0\r\n\r\n",
      "2\r\n{}\r\n0x1\r\nabc\r\n0\r\n\r\n",
    ],
    JSON.stringify,
    async (chunks) => {
      await using server = await startApp();
      const bytes = `POST /evaluate HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`;
      const answer = await sendBytes(server.port, bytes);
      expect([answer.status, answer.json()]).toEqual([
        400,
        { message: "The request is not HTTP/1.1", info: {} },
      ]);
      expect(server.calls).toEqual([]);
    },
  ));
