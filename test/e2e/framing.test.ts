// Requests at the edge of HTTP/1.1, as raw bytes to the compiled executable: its HTTP parser is the runtime's, and
// differs from Node's.

import { expect, test } from "bun:test";
import { checkCases } from "../support/counts.ts";
import { sendRaw } from "../support/network.ts";
import { startServer } from "../support/server.ts";
import { add, deploy } from "./archives.ts";

const call = JSON.stringify({ script: "return 1", data: {} });
const start = "POST /evaluate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n";
const size = call.length.toString(16);
const next = "GET /info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/** Before: these waited for TABPY_REQUEST_TIMEOUT, 60 s, and got 408. Now: 400 in 1 to 30 ms. */
const brokenChunks: Readonly<Record<string, string>> = {
  "a size that is no number": `zz\r\n${call}\r\n0\r\n\r\n`,
  "a size with a sign": `+${size}\r\n${call}\r\n0\r\n\r\n`,
  "a size with 0x": `0x${size}\r\n${call}\r\n0\r\n\r\n`,
  "a size with a blank before it": ` ${size}\r\n${call}\r\n0\r\n\r\n`,
  "a size with a blank behind it": `${size} \r\n${call}\r\n0\r\n\r\n`,
  "no size": `\r\n${call}\r\n0\r\n\r\n`,
  "a size of more than 64 bits": `${"f".repeat(19)}\r\n${call}\r\n0\r\n\r\n`,
  "a chunk that is longer than said": `5\r\n${call}\r\n0\r\n\r\n`,
  "a chunk that is longer by one": `${size}\r\n${call} \r\n0\r\n\r\n`,
  "only LF": `${size}\n${call}\n0\n\n`,
  "LF behind a size": `${size}\n${call}\r\n0\r\n\r\n`,
  "LF behind a chunk": `${size}\r\n${call}\n0\r\n\r\n`,
  "LF behind the last size": `${size}\r\n${call}\r\n0\n\r\n`,
  "LF as the last line": `${size}\r\n${call}\r\n0\r\n\n`,
  "only CR": `${size}\r${call}\r0\r\r`,
  "LF in an extension": `${size};a\nb\r\n${call}\r\n0\r\n\r\n`,
};

test("a broken chunk is answered with 400 at once, and nothing behind it is read", async () => {
  await using server = await startServer({ env: { TABPY_WORKERS: "1" } });
  await checkCases(
    Object.entries(brokenChunks),
    ([name]) => name,
    async ([, chunks]) => {
      const answer = await sendRaw(server.port, `${start}\r\n${chunks}${next}`);
      expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 400"]);
    },
  );
});

/** Before: such a request was answered after 10 s. Now: in 1 to 90 ms. */
const trailers = ["X-A: b\r\n", "X-A: b\r\nX-C: d\r\n", `X-A: ${"b".repeat(2000)}\r\n`];

test("a request with trailers is answered, and so is the one behind it", async () => {
  await using server = await startServer({ env: { TABPY_WORKERS: "1" } });
  await checkCases(trailers, JSON.stringify, async (fields) => {
    const answer = await sendRaw(server.port, `${start}\r\n${size}\r\n${call}\r\n0\r\n${fields}\r\n${next}`);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
  });
}, 10_000);

// Before: closed after 8 to 12 s without an answer, whatever TABPY_HEADER_TIMEOUT said. Now: 408 after 7 to 7.5 s.
test("headers that don't arrive are answered with 408 also where TABPY_HEADER_TIMEOUT is longer than the runtime waits", async () => {
  await using server = await startServer({ env: { TABPY_WORKERS: "1", TABPY_HEADER_TIMEOUT: "20" } });
  const rows = ["", "G", "GET /info HTTP/1.1\r\nHost: loc"];
  const answers = Promise.all(rows.map((bytes) => sendRaw(server.port, bytes)));
  await checkCases(rows, JSON.stringify, async (_, index) => {
    expect((await answers)[index]).toStartWith("HTTP/1.1 408 Request Timeout\r\n");
  });
}, 30_000);

const json = (path: string, body: string, headers = "") =>
  `${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

/** What follows the method. A function is called by GET and POST only. */
const heads: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      "/",
      "/index.html",
      "/info",
      "/status",
      "/endpoints",
      "/endpoints/",
      "/endpoints/add",
      "/endpoints/x",
    ].map((path) => [path, json(path, "")]),
  ),
  ...Object.fromEntries(
    ["/evaluate", "/nothing", "/tabpy_tools", "/tabpy_tools/", "/%zz"].map((path) => [path, json(path, "")]),
  ),
  "the upload destination": json("/configurations/endpoint_upload_destination", ""),
  "an answer that is compressed": json("/", "", "Accept-Encoding: gzip\r\n"),
  "a request with credentials": json("/info", "", "Authorization: Basic YTpi\r\n"),
  "two hosts": json("/info", "", "Host: a\r\n"),
};

test("HEAD is answered as GET is, without the body", async () => {
  await using server = await startServer({ env: { TABPY_WORKERS: "1", TABPY_MAX_REQUEST_SIZE_MB: "1" } });
  expect((await deploy(server, "add", add)).status).toBe(201);
  await checkCases(
    Object.entries(heads),
    ([name]) => name,
    async ([, rest]) => {
      const [get, head] = [await ask(server.port, `GET ${rest}`), await ask(server.port, `HEAD ${rest}`)];
      expect([head.status, head.fields, head.body]).toEqual([get.status, get.fields, ""]);
      expect(Number(get.fields["content-length"])).toBe(get.body.length);
    },
  );
});

async function ask(port: number, bytes: string) {
  const text = await sendRaw(port, Buffer.from(bytes, "latin1"));
  const [head = "", ...body] = text.split("\r\n\r\n");
  const [status, ...lines] = head.split("\r\n");
  const fields = lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line] as const);
  const same = fields.filter(([name]) => name !== "date" && name !== "x-request-id");
  return {
    status,
    fields: Object.fromEntries(same.map(([name, line]) => [name, line.slice(name.length + 1).trim()])),
    body: body.join("\r\n\r\n"),
  };
}
