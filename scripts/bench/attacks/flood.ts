// An attacker as a process of its own, so that its work doesn't delay the honest client. Usage:
// flood.ts KIND PORT SECONDS CLIENTS ADDRESSES; the clients are spread over the addresses 127.0.0.2 and following.
// Kinds: "reconnect" opens a connection for each request, which has no credentials; "handshake" opens TLS connections
// and closes them; "guess" sends a new wrong password of alice after each answer. Prints how often it did so.

import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

const [kind = "", port = "", seconds = "", clients = "", addresses = ""] = process.argv.slice(2);
const end = performance.now() + Number(seconds) * 1000;
/** A refused connection is tried again after so long, so that this process leaves the processor to others. */
const retryMs = 1;
let done = 0;
let refused = 0;

const kinds: Record<
  string,
  (from: { port: number; host: string; localAddress: string }) => Promise<boolean>
> = {
  reconnect: (from) =>
    once(connect(from), (socket) => socket.write("GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n"), "data"),
  close: (from) =>
    once(
      connect(from),
      (socket) => socket.write("GET /info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
      "data",
    ),
  handshake: (from) => once(connectTls({ ...from, rejectUnauthorized: false }), () => {}, "secureConnect"),
  guess: (from) =>
    once(
      connect(from),
      (socket) =>
        socket.write(
          `GET /info HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${btoa(`alice:guess ${Math.random()}`)}\r\n\r\n`,
        ),
      "data",
    ),
};

/** Whether the event came before the end of the connection, which is closed then. */
function once(socket: Socket, begin: (socket: Socket) => void, event: string): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (isDone: boolean) => {
      socket.removeAllListeners().on("error", () => {});
      if (isDone && kind !== "close")
        socket.resetAndDestroy(); // leaves no TIME_WAIT, of which a flood would run out of ports
      else socket.destroy();
      resolve(isDone);
    };
    socket.on("connect", () => begin(socket));
    socket.on(event, () => finish(true));
    socket.on("error", () => finish(false));
    socket.on("close", () => finish(false));
  });
}

await Promise.all(
  Array.from({ length: Number(clients) }, async (_, at) => {
    const localAddress = `127.0.0.${2 + (at % Number(addresses))}`;
    while (performance.now() < end) {
      const isDone = await kinds[kind]?.({ port: Number(port), host: "127.0.0.1", localAddress });
      if (isDone === true) done++;
      else {
        refused++;
        await Bun.sleep(retryMs);
      }
    }
  }),
);
console.log(JSON.stringify({ done, refused }));
process.exit(0);
