// What the server itself holds in memory while clients make it hold much: bodies, inflated bodies, answers not read.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { gunzipSync, gzipSync } from "node:zlib";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const megabyte = 1024 * 1024;
/** A script that returns at once, and blanks. */
const largeBody = Buffer.from('{"data": {}, "script": "return 1"}'.padEnd(30 * megabyte));

function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** Samples the resident memory of the server, without its workers, while `act` runs. */
async function peakMb(server: TestServer, act: () => Promise<void>): Promise<number> {
  let peak = 0;
  const sampling = setInterval(() => {
    peak = Math.max(peak, residentMb(server.pid));
  }, 10);
  await act().finally(() => clearInterval(sampling));
  return peak;
}

/** What an account of `limitMb` may take: a tenth more, and what the server takes anyway. */
function allowedMb(limitMb: number): number {
  return limitMb * 1.1 + 100;
}

/** Memory goes back to little more than an idle server has. */
async function expectReleased(server: TestServer, idleMb: number): Promise<void> {
  const wanted = idleMb + 60;
  await until(
    () => `less than ${wanted} MB, there are ${residentMb(server.pid)}`,
    () => residentMb(server.pid) < wanted,
  );
}

function post(body: Buffer | string, headers = ""): Buffer {
  const head = `POST /evaluate HTTP/1.1\r\nHost: localhost\r\n${headers}Content-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.from(body)]);
}

/** Sends a request; resolves with the status of its answer, 0 when the connection ends without one. */
function statusOf(port: number, request: Buffer): Promise<number> {
  return new Promise((resolve) => {
    let status = 0;
    const socket = connect(port, "127.0.0.1", () => socket.write(request));
    socket.on("data", (chunk) => {
      status ||= Number(chunk.toString("latin1").split(" ")[1]);
      socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(status));
  });
}

// Before: 2504 MB. Now: 153 MB. With 100 bodies that inflate to 99 MB and a limit of 200 MB: 10.3 GB before, 305 to 314 now.
test("gzip bodies count while they are inflated", async () => {
  await using server = await startServer({ env: { TABPY_MAX_BUFFERED_MB: "64" } });
  const idleMb = residentMb(server.pid);
  const request = post(gzipSync(largeBody, { level: 1 }), "Content-Encoding: gzip\r\n");
  const statuses: number[] = [];
  const peak = await peakMb(server, async () => {
    const one = async () => statuses.push(await statusOf(server.port, request));
    await Promise.all(Array.from({ length: 40 }, one));
  });
  expect(peak).toBeLessThan(allowedMb(64));
  expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
  await expectReleased(server, idleMb);
  expect(await statusOf(server.port, request)).toBe(200);
}, 60_000);

// Before: 259 MB. Now: 128 MB. With 40 bodies of 99 MB and a limit of 500 MB: 883 MB before, 555 to 561 now.
test("bodies count when they arrive, and their memory goes back", async () => {
  await using server = await startServer({ env: { TABPY_MAX_BUFFERED_MB: "64" } });
  const idleMb = residentMb(server.pid);
  const request = post(largeBody);
  const peak = await peakMb(server, async () => {
    await Promise.all(Array.from({ length: 16 }, () => statusOf(server.port, request)));
  });
  expect(peak).toBeLessThan(allowedMb(64));
  await expectReleased(server, idleMb);
  expect(await statusOf(server.port, request)).toBe(200);
}, 60_000);

// With answers of 14 MB and a limit of 64 MB: 196 MB before, 165 now. With 40 answers of 50 MB and a limit of 200 MB:
// 7.2 GB before, 279 to 298 now.
test("answers count until they are read, and a client that doesn't read is dropped when its memory is needed", async () => {
  await using server = await startServer({ env: { TABPY_MAX_BUFFERED_MB: "128" } });
  const idleMb = residentMb(server.pid);
  const script = "return 'x' * 28_000_000";
  const request = post(JSON.stringify({ script, data: {} }));
  const sockets: Socket[] = [];
  let began = 0;
  let answer = { status: 0, text: "" };
  const peak = await peakMb(server, async () => {
    for (let count = 0; count < 4; count++) {
      const socket = connect(server.port, "127.0.0.1", () => socket.write(request));
      socket.once("data", () => {
        socket.pause();
        began++;
      });
      socket.on("error", () => {});
      sockets.push(socket);
    }
    await until("the begin of four answers", () => began === 4);
    await until("the place of a client that doesn't read", async () => {
      answer = await server.evaluate(script);
      return answer.status === 200;
    });
  });
  expect(answer.text.length).toBe(28_000_002);
  expect(peak).toBeLessThan(allowedMb(128));
  for (const socket of sockets) socket.destroy();
  await expectReleased(server, idleMb);
}, 60_000);

test("a large answer is complete, for a client that takes gzip too", async () => {
  await using server = await startServer();
  const script = "return [str(number) for number in range(300_000)]";
  const wanted = Array.from({ length: 300_000 }, (_, at) => String(at));
  const plain = await server.evaluate(script, {}, { headers: { "Accept-Encoding": "identity" } });
  expect(plain.headers.get("content-encoding")).toBeNull();
  expect(Bun.deepEquals(plain.json, wanted)).toBe(true);
  const packed = await fetch(`${server.url}/evaluate`, {
    method: "POST",
    body: JSON.stringify({ script, data: {} }),
    headers: { "Accept-Encoding": "gzip" },
    decompress: false,
  });
  const bytes = Buffer.from(await packed.arrayBuffer());
  expect(packed.headers.get("content-encoding")).toBe("gzip");
  expect(packed.headers.get("content-length")).toBe(String(bytes.length));
  expect(Bun.deepEquals(JSON.parse(gunzipSync(bytes).toString()), wanted)).toBe(true);
});

test("pipelined requests get large and small answers in order", async () => {
  await using server = await startServer();
  const sizes = [300_000, 1, 100_000, 70_000, 2];
  const requests = sizes.map((size) => post(JSON.stringify({ script: `return 'x' * ${size}`, data: {} })));
  const received = await new Promise<string>((resolve, reject) => {
    let text = "";
    const socket = connect(server.port, "127.0.0.1", () => socket.write(Buffer.concat(requests)));
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (text.endsWith('\r\n\r\n"xx"')) socket.end();
    });
  });
  const bodies = received.split(/HTTP\/1\.1 200 OK\r\n/).map((one) => one.split("\r\n\r\n")[1]?.length);
  expect(bodies.slice(1)).toEqual(sizes.map((size) => size + 2));
});
