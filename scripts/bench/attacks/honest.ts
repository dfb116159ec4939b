// An honest client beside an attack: one connection from an address of its own, a small call every 5 ms. It runs as a
// process of its own, so that the attacker's work doesn't count as waiting. Usage: honest.ts PORT SECONDS [AUTHORIZATION
// [tls]], with the value of that header, "" for none, and "tls" for a server with https; prints JSON.

import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { atShare } from "../load.ts";

export interface Waiting {
  readonly calls: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const pauseMs = 5;
/** An answer that takes longer counts as failed, with this time. */
const timeoutMs = 30_000;
const body =
  '{"data":{"_arg1":[1.2345678901234567,2.3456789012345678]},"script":"return [x * 2 for x in _arg1]"}';

const [port = "0", seconds = "1", authorization = "", scheme = ""] = process.argv.slice(2);
const request = `POST /evaluate HTTP/1.1\r\nHost: localhost\r\n${authorization === "" ? "" : `Authorization: ${authorization}\r\n`}Content-Length: ${body.length}\r\n\r\n${body}`;

let socket: Socket | undefined;

if (import.meta.main) console.log(JSON.stringify(await measure(Number(seconds))));

async function measure(seconds: number): Promise<Waiting> {
  const times: number[] = [];
  let failed = 0;
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await Bun.sleep(pauseMs)) {
    const began = performance.now();
    const isRight = await ask();
    times.push(performance.now() - began);
    if (!isRight) failed++;
  }
  socket?.destroy();
  return {
    calls: times.length,
    failed,
    p50Ms: atShare(times, 0.5),
    p99Ms: atShare(times, 0.99),
    maxMs: Math.max(...times),
  };
}

/** Whether the answer is right; a connection that has ended is opened again by the next call. */
function ask(): Promise<boolean> {
  return new Promise((resolve) => {
    socket ??= open().setNoDelay(true);
    const current = socket;
    let received = "";
    const finish = (isRight: boolean) => {
      current.removeAllListeners().on("error", () => {});
      if (!isRight) {
        current.destroy();
        socket = undefined;
      }
      resolve(isRight);
    };
    current.setTimeout(timeoutMs, () => finish(false));
    current.on("error", () => finish(false));
    current.on("close", () => finish(false));
    current.on("data", (chunk) => {
      received += chunk;
      if (received.includes("\r\n\r\n") && received.endsWith("]"))
        finish(
          received.startsWith("HTTP/1.1 200") && received.endsWith("[2.4691357802469134, 4.691357802469136]"),
        );
      else if (/^HTTP\/1.1 (?!200)/.test(received)) finish(false);
    });
    current.write(request);
  });
}

function open(): Socket {
  const from = { port: Number(port), host: "127.0.0.1", localAddress: "127.0.0.9" };
  return scheme === "tls" ? connectTls({ ...from, rejectUnauthorized: false }) : connect(from);
}
