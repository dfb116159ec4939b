// The load of the benchmark: connections that stay open, each with one request in flight. Sent by `wrk` for small
// bodies where it is installed, otherwise by sockets of this process. Every answer is compared with the expected one.

import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";

/** What to send, and the JSON that must come back, in any spacing. */
export interface Call {
  /** `/evaluate` when it is left out. */
  readonly path?: string;
  readonly body: string;
  readonly wanted: string;
  /** Whether `wanted` is only the start of the answer. */
  readonly isPrefix?: boolean;
  /** The value of an Authorization header. */
  readonly authorization?: string;
  /** Send it over HTTPS, whatever the certificate. */
  readonly isSecure?: boolean;
}

export interface Load {
  readonly calls: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** When to stop: after some seconds, or after a number of calls in total. */
export type Until = { readonly seconds: number } | { readonly calls: number };

export function median(values: readonly number[]): number {
  return atShare(values, 0.5);
}

export function atShare(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Load from sockets of this process. Rejects when an answer is wrong or a connection ends early. */
export async function socketLoad(port: number, call: Call, connections: number, until: Until): Promise<Load> {
  const request = Buffer.from(
    `POST ${call.path ?? "/evaluate"} HTTP/1.1\r\nHost: 127.0.0.1\r\n${authorizationLine(call)}Content-Length: ${Buffer.byteLength(call.body)}\r\n\r\n${call.body}`,
  );
  const isRight = createCheck(call);
  const times: number[] = [];
  const began = performance.now();
  const end = "seconds" in until ? began + until.seconds * 1000 : Number.POSITIVE_INFINITY;
  let callsLeft = "calls" in until ? until.calls : Number.POSITIVE_INFINITY;
  const open = Array.from({ length: connections }, () => {
    return new Promise<void>((resolve, reject) => {
      let sent = 0;
      let chunks: Buffer[] = [];
      let size = 0;
      let head: Head | undefined;
      const socket =
        call.isSecure === true
          ? connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }, next)
          : connect(port, "127.0.0.1", next);
      socket.setNoDelay(true);
      function next(): void {
        if (callsLeft <= 0 || performance.now() >= end) {
          resolve();
          socket.destroy();
          return;
        }
        callsLeft -= 1;
        chunks = [];
        size = 0;
        head = undefined;
        sent = performance.now();
        socket.write(request);
      }
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("the server closed a connection")));
      socket.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        head ??= parseHead(chunks.length === 1 ? chunk : Buffer.concat(chunks));
        if (head === undefined || size < head.bytes + head.bodyBytes) return;
        times.push(performance.now() - sent);
        const whole = chunks.length === 1 ? chunk : Buffer.concat(chunks);
        if (head.status === "200" && isRight(whole.subarray(head.bytes))) next();
        else {
          reject(new Error(`wrong answer: ${whole.toString("latin1", 0, 400)}`));
          socket.destroy();
        }
      });
    });
  });
  await Promise.all(open);
  const seconds = (performance.now() - began) / 1000;
  return { calls: times.length, seconds, p50Ms: median(times), p99Ms: atShare(times, 0.99) };
}

function authorizationLine({ authorization }: Call): string {
  return authorization === undefined ? "" : `Authorization: ${authorization}\r\n`;
}

interface Head {
  readonly status: string;
  readonly bytes: number;
  readonly bodyBytes: number;
}

/** Undefined while the head isn't complete. */
function parseHead(start: Buffer): Head | undefined {
  const end = start.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(start.toString("latin1", 0, end)) ?? [];
  if (length === undefined) throw new Error("an answer without Content-Length");
  return { status: start.toString("latin1", 9, 12), bytes: end + 4, bodyBytes: Number(length) };
}

/** Compares the first answer by value and the others with its bytes, which takes little time from the load. */
function createCheck({ wanted, isPrefix }: Call): (body: Buffer) => boolean {
  if (isPrefix) return (body) => body.toString("utf8", 0, wanted.length) === wanted;
  let right: Buffer | undefined;
  return (body) => {
    if (right !== undefined) return right.equals(body);
    if (JSON.stringify(JSON.parse(body.toString())) !== JSON.stringify(JSON.parse(wanted))) return false;
    right = Buffer.from(body);
    return true;
  };
}

/** Load by `wrk` with one thread; `folder` takes its script. `wanted` must be the answer byte for byte. */
export async function wrkLoad(
  port: number,
  call: Call,
  connections: number,
  seconds: number,
  folder: string,
): Promise<Load> {
  const script = join(folder, "bench.lua");
  writeFileSync(
    script,
    `wrk.method = "POST"
wrk.body = [==[${call.body}]==]
${call.authorization === undefined ? "" : `wrk.headers["Authorization"] = "${call.authorization}"`}
local wanted = [==[${call.wanted}]==]
local threads = {}
wrong = 0
function setup(thread) table.insert(threads, thread) end
function response(status, headers, body)
  if ${call.isPrefix ? "string.sub(body, 1, #wanted)" : "body"} ~= wanted or status ~= 200 then wrong = wrong + 1 end
end
function done(summary, latency)
  local faults = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  for _, thread in ipairs(threads) do faults = faults + thread:get("wrong") end
  print(string.format('RESULT {"calls": %d, "micros": %d, "p50": %d, "p99": %d, "faults": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), faults))
end
`,
  );
  const scheme = call.isSecure === true ? "https" : "http";
  const url = `${scheme}://127.0.0.1:${port}${call.path ?? "/evaluate"}`;
  const wrk = spawn("wrk", ["-t1", `-c${connections}`, `-d${seconds}s`, "-s", script, url], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve, reject) => wrk.on("close", resolve).on("error", reject));
  let printed = "";
  for await (const chunk of wrk.stdout) printed += chunk;
  await ended;
  const [, result] = /^RESULT (.*)$/m.exec(printed) ?? [];
  if (result === undefined) throw new Error(`wrk didn't finish: ${printed}`);
  const { calls, micros, p50, p99, faults } = JSON.parse(result);
  if (faults > 0 || calls === 0) throw new Error(`${faults} wrong answers or failed calls of ${calls}`);
  return { calls, seconds: micros / 1e6, p50Ms: p50 / 1000, p99Ms: p99 / 1000 };
}
