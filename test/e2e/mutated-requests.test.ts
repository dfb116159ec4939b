// Mutated requests over many kept connections, several in flight on each. Behind each batch comes an honest request: its
// right answer, or the end of the connection, ends the batch. So a batch that gets neither hangs.
//
// Allowed answers of 5xx: 500 with the error of a script or function, and 505 for another version of HTTP. Not 503: the
// queue has room for all that is sent.

import { expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { isAll } from "../support/all.ts";
import { countCases } from "../support/counts.ts";
import { createRandom } from "../support/random.ts";
import { heldBy } from "../support/held.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { add, deploy, query } from "./archives.ts";
import { mutatedRequest } from "./mutated-requests.ts";

const count = Number(process.env.TABPY_TEST_MUTATED_REQUESTS ?? (isAll ? 200_000 : 3000));
const connections = 200;
/** Of requests that are sent in one piece: what follows one that ends its connection is not read. */
const batchSizes = [1, 1, 2, 1, 4, 1, 1];
/**
 * A batch without its end for so long hangs: the server's own limits end each within 3 s,
 * but changes of functions are written one after the other, each with several fsync. */
const hangMs = 60_000;
/** Two workers and the reaper above each. */
const processes = 4;
/** Bytes that the server may use more at the end than after the first tenth. */
const growthBytes = 150 * 2 ** 20;

const settings = {
  TABPY_WORKERS: "2",
  TABPY_QUEUE_SIZE: "100000",
  TABPY_MAX_REQUEST_SIZE_MB: "1",
  TABPY_MAX_ARCHIVE_SIZE_MB: "1",
  TABPY_EVALUATE_TIMEOUT: "20",
  TABPY_QUERY_TIMEOUT: "20",
  TABPY_HEADER_TIMEOUT: "1",
  TABPY_REQUEST_TIMEOUT: "2",
  TABPY_IDLE_TIMEOUT: "2",
};

const ownErrors =
  /"message": "Error (processing script|querying function '.*?')", "info": (?!"WorkerLost|\{[^}]*"WorkerLost)/s;

test(
  `${count} mutated requests get no 5xx but a script's own, none hangs, and nothing is left of them`,
  async () => {
    await using server = await startServer({ env: settings, config: `[TabPy]\n${quietLog}` });
    for (const name of ["add", "honest"]) expect((await deploy(server, name, add)).status).toBe(201);
    const info = (await server.request("/info")).text;
    const statuses: Record<string, number> = {};
    const run = async (from: number, to: number) => {
      let next = from;
      await Promise.all(
        Array.from({ length: connections }, async () => {
          const client = new Client(server.port, info);
          while (next < to) {
            const first = next;
            next += batchSizes[next % batchSizes.length] ?? 1;
            await exchange(client, first, Math.min(next, to), statuses);
          }
          client.close();
        }),
      );
    };

    const begin = performance.now();
    await run(0, count / 10);
    const before = heldBy(server);
    await run(count / 10, count);
    await until(
      () =>
        `the end of all connections: ${JSON.stringify([before, heldBy(server)])}, ${openFiles(server.pid)}`,
      () => heldBy(server).files <= before.files,
    );
    await until("the end of all other processes", () => server.children().length <= processes);
    const after = heldBy(server);
    console.log(
      `${count} mutated requests in ${((performance.now() - begin) / 1000).toFixed(0)} s:`,
      statuses,
      { before, after },
    );
    countCases(count);

    expect((await server.evaluate("return _arg1 + 1", { _arg1: 41 })).json).toBe(42);
    expect((await query(server, "honest", [1, 2])).json.response).toBe(3);
    expect(statuses["200"]).toBeGreaterThan(count / 10);
    expect(server.log).not.toContain("Internal server error");
    expect(after.threads).toBeLessThanOrEqual(before.threads + 2); // the runtime starts those of its pool lazily
    expect(after.processes).toBe(processes);
    expect(after.bytes - before.bytes).toBeLessThan(growthBytes);
  },
  count > 3000 ? 900_000 : 120_000,
);

const quietLog = `
[loggers]
keys=root
[handlers]
keys=console
[formatters]
keys=plain
[logger_root]
level=ERROR
handlers=console
[handler_console]
class=StreamHandler
formatter=plain
args=(sys.stderr,)
[formatter_plain]
format=%(levelname)s %(message)s
`;

/** One connection at a time, opened when there is something to send. */
class Client {
  readonly #port: number;
  readonly #info: string;
  #socket: Socket | undefined;
  #received = "";
  #changed = () => {};

  constructor(port: number, info: string) {
    this.#port = port;
    this.#info = info;
  }

  /** Sends `bytes` and an honest request with the id; resolves with all that came until its answer or the end. */
  async send(bytes: Buffer, id: string, isEnd: boolean): Promise<string> {
    const socket = this.#open();
    this.#received = "";
    const honest = `GET /info HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: ${id}\r\n\r\n`;
    const all = Buffer.concat([bytes, Buffer.from(honest)]);
    if (isEnd) socket.end(all);
    else socket.write(all);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no end, only ${this.#received}`)), hangMs);
      this.#changed = () => {
        if (this.#socket !== undefined && !this.#isAnswered(id)) return;
        clearTimeout(timer);
        resolve();
      };
    });
    return this.#received;
  }

  close(): void {
    this.#socket?.destroy();
  }

  #isAnswered(id: string): boolean {
    return this.#received.endsWith(this.#info) && this.#received.includes(`X-Request-ID: ${id}\r\n`);
  }

  #open(): Socket {
    if (this.#socket?.writable) return this.#socket;
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    this.#socket = socket;
    socket.on("data", (chunk) => {
      if (this.#socket !== socket) return;
      this.#received += chunk.toString("latin1");
      this.#changed();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#changed();
    });
    return socket;
  }
}

/** Sends the requests from one number to below another in one piece. Throws with their bytes when an answer is wrong. */
async function exchange(
  client: Client,
  from: number,
  to: number,
  statuses: Record<string, number>,
): Promise<void> {
  const parts = [];
  let isCut = false;
  for (let number = from; number < to && !isCut; number++) {
    const one = mutatedRequest(createRandom(number), `r${number}`);
    parts.push(one.bytes);
    isCut = one.isCut;
  }
  const bytes = Buffer.concat(parts);
  try {
    const received = await client.send(bytes, `honest-${from}`, isCut && from % 8 > 0);
    for (const answer of received.split(/HTTP\/1\.1 (?=\d{3} )/).slice(1)) {
      const status = answer.slice(0, 3);
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status.startsWith("5") && status !== "505" && !isOwnError(answer))
        throw new Error(`answered ${answer}`);
    }
  } catch (error) {
    throw new Error(
      `requests ${from} to ${to - 1}, ${JSON.stringify(bytes.toString("latin1").slice(0, 20_000))}`,
      {
        cause: error,
      },
    );
  }
}

/** Without a body it answers HEAD: then the log tells whether it was the server's own error. */
function isOwnError(answer: string): boolean {
  return (
    answer.startsWith("500") && (answer.endsWith("\r\n\r\n") || ownErrors.test(answer) || isPacked(answer))
  );
}

function isPacked(answer: string): boolean {
  return /^content-encoding: gzip\r$/im.test(answer);
}

/** What the descriptors of a process are, for messages. */
function openFiles(pid: number): string {
  const folder = `/proc/${pid}/fd`;
  const nameOf = (file: string) => {
    try {
      return readlinkSync(`${folder}/${file}`);
    } catch {
      return "closed";
    }
  };
  return readdirSync(folder).map(nameOf).sort().join(" ");
}
