// The load of scripts/bench, a process of its own: connections with one request at a time each. Reads its job from
// standard input, prints the milliseconds of every answer as JSON. Exits with 1 when an answer is wrong.

import { connect } from "node:net";

const job = JSON.parse(await Bun.stdin.text());
const request = Buffer.from(job.bytes);
const wantedBytes = Buffer.byteLength(job.wanted);
const times: number[] = [];
const end = performance.now() + job.seconds * 1000;

function client(): Promise<void> {
  return new Promise((resolve, reject) => {
    let began = 0;
    let chunks: Buffer[] = [];
    let size = 0;
    let wholeBytes = Number.POSITIVE_INFINITY;
    const socket = connect(job.port, "127.0.0.1", () => send());
    const send = () => {
      chunks = [];
      size = 0;
      wholeBytes = Number.POSITIVE_INFINITY;
      began = performance.now();
      socket.write(request);
    };
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (wholeBytes === Number.POSITIVE_INFINITY) {
        const head = Buffer.concat(chunks).toString("latin1");
        const [, length] = /content-length: (\d+)/i.exec(head) ?? [];
        if (length === undefined || !head.includes("\r\n\r\n")) return;
        wholeBytes = head.indexOf("\r\n\r\n") + 4 + Number(length);
      }
      if (size < wholeBytes) return;
      const now = performance.now();
      times.push(now - began);
      const whole = chunks.length === 1 ? chunk : Buffer.concat(chunks);
      if (
        whole.toString("latin1", 9, 12) !== "200" ||
        whole.toString("latin1", whole.length - wantedBytes) !== job.wanted
      ) {
        reject(new Error(`wrong answer: ${whole.toString("latin1", 0, 300)}`));
      } else if (now < end) {
        send();
      } else {
        socket.destroy();
        resolve();
      }
    });
  });
}

await Promise.all(Array.from({ length: job.connections }, client));
process.stdout.write(JSON.stringify(times));
