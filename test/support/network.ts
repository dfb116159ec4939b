// Ports of 127.0.0.1 and raw connections to them.

import { connect, createServer, type Socket } from "node:net";

/** Below the ephemeral ports, so that no connection takes one before a server does. */
const ports = { first: 20_000, count: 12_000 };
/** Each process starts at a different port, and no port is returned twice. */
let given = (process.pid * 3001) % ports.count;

/** A port that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < ports.count; tries++) {
    const port = ports.first + (given++ % ports.count);
    if (await canListen(port)) return port;
  }
  throw new Error("no free port");
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Send `bytes` and whatever `more` writes; resolves with all that was received, as Latin-1, when the connection has closed. */
export function sendRaw(
  port: number,
  bytes: string | Buffer,
  more?: (socket: Socket) => void,
): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(bytes);
      more?.(socket);
    });
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
  });
}

/** Whether nobody listens on a port. */
export function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(false);
    });
    socket.on("error", () => resolve(true));
  });
}
