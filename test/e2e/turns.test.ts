// Many calls of one client, and a few of others.

import { expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** Calls on each connection of the greedy client: more than are handled at a time. */
const perConnection = 60;
const count = 10 * perConnection;

function callOf(script: string, close = ""): string {
  const body = JSON.stringify({ script, data: {} });
  return `POST /evaluate HTTP/1.1\r\nHost: localhost\r\n${close}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** Send `text` from an address of this machine; `received` returns what has come back. */
function send(port: number, localAddress: string, text: string) {
  let received = "";
  const socket = connect({ port, host: "127.0.0.1", localAddress }, () => socket.write(text));
  socket.on("data", (chunk) => {
    received += chunk;
  });
  socket.on("error", () => {});
  return { socket, received: () => received };
}

/** Send `count` slow calls from another address, on ten connections; `served` returns how many were answered. */
function startGreedy(port: number, script: string) {
  const text = callOf(`${script}\nreturn "slow"`).repeat(perConnection);
  const open = Array.from({ length: count / perConnection }, () => send(port, "127.0.0.2", text));
  return {
    served: () => open.reduce((sum, { received }) => sum + received().split('"slow"').length - 1, 0),
    end: () => {
      for (const { socket } of open) socket.destroy();
    },
  };
}

// Before: 600 calls on one connection of one client were all answered first, and others got 503 from a full queue.
test("a client is served while another one, at another address, has many calls waiting", async () => {
  await using server = await startServer({ env: { TABPY_WORKERS: "1" } });
  const greedy = startGreedy(server.port, "import time\ntime.sleep(0.01)");
  await until("the first answer", () => greedy.served() > 0);
  for (let turn = 0; turn < 3; turn++) {
    const before = greedy.served();
    const other = send(server.port, "127.0.0.1", callOf("return 1", "Connection: close\r\n"));
    await until("the other client's answer", () => other.received().endsWith("\r\n\r\n1"));
    expect(greedy.served() - before).toBeLessThan(count / 4);
  }
  expect(greedy.served()).toBeLessThan(count);
  greedy.end();
}, 60_000);

/** A script that writes a mark and waits until the test writes another one. */
const heldUntil = (server: TestServer, mark: string, end: string) => `
import os, time
open(os.path.join(${JSON.stringify(server.folder)}, ${JSON.stringify(mark)} + str(os.getpid())), "w").close()
while not os.path.exists(${JSON.stringify(server.path(end))}): time.sleep(0.01)
return "slow"`;
const marks = (server: TestServer, mark: string) =>
  readdirSync(server.folder).filter((name) => name.startsWith(mark)).length;

// Before: 50 scripts of a second of one client made another one wait for 25 s. The scripts here end when the other
// client was served, so that without a reserved worker it would never be.
test("one of three workers is left to others by a client whose scripts run for long", async () => {
  await using server = await startServer({ env: { TABPY_WORKERS: "3" } });
  const text = callOf(heldUntil(server, "held-", "end"), "Connection: close\r\n");
  const slow = Array.from({ length: 10 }, () => send(server.port, "127.0.0.2", text));
  await until("two running scripts", () => marks(server, "held-") === 2);
  for (let turn = 0; turn < 20; turn++) expect((await server.evaluate("return 1")).json).toBe(1);
  expect(marks(server, "held-")).toBe(2);
  writeFileSync(server.path("end"), "");
  await until("all answers", () => slow.every(({ received }) => received().endsWith('"slow"')));
}, 60_000);

// Before: all calls of the connection waited in the queue; 3,000 filled it, and everybody got 503.
test("of pipelined requests four are handled at a time, and all are answered in order", async () => {
  await using server = await startServer({ env: { TABPY_WORKERS: "1", TABPY_QUEUE_SIZE: "10" } });
  const numbers = Array.from({ length: 90 }, (_, at) => at);
  const script = "import time\ntime.sleep(0.005)\nreturn";
  const text = numbers
    .map((at) => callOf(`${script} ${at}`, at === 89 ? "Connection: close\r\n" : ""))
    .join("");
  const greedy = send(server.port, "127.0.0.2", text);
  await until("all answers", () => greedy.received().endsWith("\r\n\r\n89"));
  expect([...greedy.received().matchAll(/\r\n\r\n(\d+)/g)].map(([, at]) => Number(at))).toEqual(numbers);
}, 60_000);

// Before: bun parsed all 20,000 without end, each in half a millisecond in which nobody else was served: 10 s.
test("a connection that pipelines without end is closed, and others are served", async () => {
  await using server = await startServer({ env: { TABPY_WORKERS: "2" } });
  const held = heldUntil(server, "held-", "end");
  const greedy = send(server.port, "127.0.0.2", callOf(held).repeat(20_000));
  let isClosed = false;
  greedy.socket.on("close", () => {
    isClosed = true;
  });
  await until("the end of the connection", () => isClosed);
  expect(greedy.received()).toBe("");
  expect((await server.evaluate("return 1")).json).toBe(1);
}, 60_000);
