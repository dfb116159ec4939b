// Many calls of one client, and a few of others.

import { expect, test } from "bun:test";
import { connect } from "node:net";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const count = 600;

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

test("a client is served while another one, at another address, has many calls waiting", async () => {
  await using server = await startServer({ env: { TABPY_WORKERS: "1" } });
  const slow = callOf(`import time\ntime.sleep(0.01)\nreturn "slow"`);
  const greedy = send(server.port, "127.0.0.2", slow.repeat(count));
  const served = () => greedy.received().split('"slow"').length - 1;
  await until("the first answer", () => served() > 0);
  for (let turn = 0; turn < 3; turn++) {
    const before = served();
    const other = send(server.port, "127.0.0.1", callOf("return 1", "Connection: close\r\n"));
    await until("the other client's answer", () => other.received().endsWith("\r\n\r\n1"));
    expect(served() - before).toBeLessThan(count / 4);
  }
  expect(served()).toBeLessThan(count);
  greedy.socket.destroy();
}, 60_000);
