// Attacks on the turns of others: a client at another address than the honest one sends more calls than there are
// workers, on one connection or on many.

import { connect, type Socket } from "node:net";
import type { Server } from "../processes.ts";
import type { Attack } from "./attack.ts";

function callOf(script: string): string {
  const body = JSON.stringify({ script, data: {} });
  return `POST /evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const pause = (seconds: number) => callOf(`import time\ntime.sleep(${seconds})\nreturn 1`);

/** Keep `connections` open, and send `text` on each, again when it was closed or `answers` answers were received. */
async function send(
  { port }: Server,
  seconds: number,
  connections: number,
  text: string,
  answers: number,
): Promise<void> {
  const open = new Set<Socket>();
  let isOver = false;
  const begin = () => {
    if (isOver) return;
    let left = answers;
    const socket = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.2" }, () => socket.write(text));
    open.add(socket);
    socket.on("data", (chunk) => {
      left -= chunk.toString("latin1").split("HTTP/1.1 ").length - 1;
      if (left > 0) return;
      left = answers;
      socket.write(text);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      open.delete(socket);
      setTimeout(begin, 5);
    });
  };
  for (let at = 0; at < connections; at++) begin();
  await Bun.sleep(seconds * 1000);
  isOver = true;
  for (const socket of open) socket.destroy();
}

export const turnAttacks: readonly Attack[] = [
  {
    name: "turns: one connection pipelines 3,000 calls of 10 ms",
    before: "others waited 10 s, and got 503 from a full queue",
    run: (server, seconds) => send(server, seconds, 1, pause(0.01).repeat(3000), 3000),
  },
  {
    name: "turns: one connection pipelines 90 calls of 10 ms at a time",
    before: "90 calls in the queue",
    run: (server, seconds) => send(server, seconds, 1, pause(0.01).repeat(90), 90),
  },
  {
    name: "turns: 50 scripts of a second, two workers",
    before: "others waited 25 s",
    env: { TABPY_WORKERS: "2" },
    run: (server, seconds) => send(server, seconds, 50, pause(1), 1),
  },
  {
    name: "turns: 50 scripts of a second, four workers",
    before: "others waited 12 s",
    env: { TABPY_WORKERS: "4" },
    run: (server, seconds) => send(server, seconds, 50, pause(1), 1),
  },
  {
    name: "turns: 1,000 scripts of half a second, four workers",
    before: "with two workers, others waited 59 s, and 756 calls got 503",
    env: { TABPY_WORKERS: "4" },
    run: (server, seconds) => send(server, seconds, 1000, pause(0.5), 1),
  },
];
