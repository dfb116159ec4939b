// Clients that make the server hold much: bodies that inflate, large bodies, and large answers that they don't read.

import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import type { Server } from "../processes.ts";
import type { Attack } from "./attack.ts";

const megabyte = 1024 * 1024;
const bodyBytes = 99 * megabyte;

/** A body of `bytes`: a script that returns at once, and blanks. */
function paddedBody(bytes: number): Buffer {
  const call = '{"data": {}, "script": "return 1"}';
  return Buffer.from(call.padEnd(bytes));
}

function head(length: number, more = ""): string {
  return `POST /evaluate HTTP/1.1\r\nHost: localhost\r\n${more}Content-Length: ${length}\r\n\r\n`;
}

/** `count` connections that each send `request` again and again, once each answer has come. */
async function repeat(server: Server, seconds: number, count: number, request: Buffer): Promise<void> {
  const until = performance.now() + seconds * 1000;
  const once = () =>
    new Promise<void>((resolve) => {
      const socket = connect(server.port, "127.0.0.1", () => socket.write(request));
      socket.setTimeout(until - performance.now() + 1, () => socket.destroy());
      socket.on("data", () => socket.destroy());
      socket.on("error", () => {});
      socket.on("close", () => setTimeout(resolve, 5));
    });
  const client = async () => {
    while (performance.now() < until) await once();
  };
  await Promise.all(Array.from({ length: count }, client));
}

/** `count` connections that each ask for an answer of `bytes` and don't read it. */
async function leaveUnread(server: Server, seconds: number, count: number, bytes: number): Promise<void> {
  const until = performance.now() + seconds * 1000;
  const body = `{"data": {}, "script": "return 'x' * ${bytes}"}`;
  const open = new Set<Socket>();
  const once = () =>
    new Promise<void>((resolve) => {
      const socket = connect(server.port, "127.0.0.1", () => {
        socket.write(head(body.length) + body);
        socket.pause();
      });
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        open.delete(socket);
        setTimeout(resolve, 20);
      });
    });
  setTimeout(() => {
    for (const socket of open) socket.destroy();
  }, seconds * 1000);
  const client = async () => {
    while (performance.now() < until) await once();
  };
  await Promise.all(Array.from({ length: count }, client));
}

/** Attacks on what the server holds in memory. */
export const memoryAttacks: readonly Attack[] = [
  {
    name: "memory: 100 gzip bodies that inflate to 99 MB, limit 200 MB",
    before: "peak 10.3 GB, and it stayed",
    env: { TABPY_MAX_BUFFERED_MB: "200" },
    run: (server, seconds) => {
      const packed = gzipSync(paddedBody(bodyBytes), { level: 1 });
      const request = Buffer.concat([Buffer.from(head(packed.length, "Content-Encoding: gzip\r\n")), packed]);
      return repeat(server, seconds, 100, request);
    },
  },
  {
    name: "memory: 40 clients that don't read answers of 50 MB, limit 200 MB",
    before: "peak 7.2 GB for a minute, longest 17 s",
    // The honest client waits for a worker too: scripts with such results take a second or more.
    env: { TABPY_MAX_BUFFERED_MB: "200", TABPY_WORKERS: "3" },
    run: (server, seconds) => leaveUnread(server, seconds, 40, 50 * megabyte),
  },
  {
    name: "memory: 40 bodies of 99 MB, limit 500 MB",
    before: "peak 3.2 GB with a limit of 2 GB",
    env: { TABPY_MAX_BUFFERED_MB: "500" },
    run: (server, seconds) =>
      repeat(server, seconds, 40, Buffer.concat([Buffer.from(head(bodyBytes)), paddedBody(bodyBytes)])),
  },
];
