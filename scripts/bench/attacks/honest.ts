// An honest client beside an attack: one connection from an address of its own, a small call every 5 ms. It runs as a
// process of its own, so that the attacker's work doesn't count as waiting. Usage: honest.ts PORT SECONDS; prints JSON.

import { connect } from "node:net";
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

let socket: ReturnType<typeof connect> | undefined;

if (import.meta.main) {
  const [port, seconds] = process.argv.slice(2).map(Number);
  console.log(JSON.stringify(await measure(port ?? 0, seconds ?? 1)));
}

async function measure(port: number, seconds: number): Promise<Waiting> {
  const times: number[] = [];
  let failed = 0;
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await Bun.sleep(pauseMs)) {
    const began = performance.now();
    const isRight = await ask(port);
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
function ask(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    socket ??= connect({ port, host: "127.0.0.1", localAddress: "127.0.0.9" }).setNoDelay(true);
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
    current.write(
      `POST /evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  });
}
