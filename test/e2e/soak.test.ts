// A soak: mixed traffic at full rate, with every answer checked, while the server's memory, descriptors and threads are
// recorded. Two minutes, or as many as TABPY_TEST_SOAK_MINUTES says.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { isAll } from "../support/all.ts";
import { countCases } from "../support/counts.ts";
import { createRandom, pick, type Random } from "../support/random.ts";
import { type Held, heldBy } from "../support/held.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { add, deploy, functionArchive, loaded, query } from "./archives.ts";

const asked = process.env.TABPY_TEST_SOAK_MINUTES ?? "";
const minutes = asked === "" ? 2 : Number(asked);
const isLong = minutes >= 10;
/** The first part, in which memory may grow: the runtime's heap and its caches find their size. */
const firstPartMs = isLong ? 300_000 : 40_000;
/** Of the time after the first part: no median is larger than that of the first by more than the bound. */
const windows = 8;
const bound = isLong ? 1.1 : 1.3;
/** The runtime starts the threads of its pool one by one, when it first needs so many at once. */
const poolThreads = 2;
/** Descriptors of a worker that starts and of a trial load; at the end there must be none of them. */
const startingFiles = 8;
const connections = 8;
const sampleMs = 500;
const rareMs = 7000;

const password =
  "user1 b8a63cf588cd2399da615042de4732f5b121c4d1042acfb91598a56d2dd3e1d7b9f785213262eddbbd00c7a8c9c3e89d7cb98f31d405cc644b1aeba92c3de40b\n";
const right = `Basic ${btoa("user1:P@ssw0rd")}`;
const wrong = `Basic ${btoa("user1:guess")}`;

interface Sample extends Held {
  readonly ms: number;
  readonly calls: number;
}

test.skipIf(!isAll && asked === "")(
  `a soak of ${minutes} minutes: answers are right, memory is flat, descriptors and threads are constant`,
  async () => {
    using folder = temporaryFolder();
    writeFileSync(folder.file("passwords"), password);
    await using server = await startServer({
      env: { TABPY_WORKERS: "2", TABPY_EVALUATE_TIMEOUT: "5", TABPY_PWD_FILE: folder.file("passwords") },
      config: quiet,
      init: { headers: { Authorization: right } },
    });
    expect((await deploy(server, "add", add)).status).toBe(201);
    const atStart = heldBy(server);

    const begin = performance.now();
    const end = begin + minutes * 60_000;
    const counts: Record<string, number> = {};
    const calls = () => Object.values(counts).reduce((sum, count) => sum + count, 0);
    const samples: Sample[] = [];
    const timer = setInterval(() => {
      samples.push({ ms: performance.now() - begin, calls: calls(), ...heldBy(server) });
    }, sampleMs);
    try {
      const clients = Array.from({ length: connections }, (_, seed) => call(server, seed, end, counts));
      await Promise.all([...clients, callRarely(server, end, counts)]);
    } finally {
      clearInterval(timer);
    }
    printSeries(samples, counts);
    countCases(calls());

    const later = windowsOf(samples.filter(({ ms }) => ms >= firstPartMs));
    const [first] = later;
    if (first === undefined) throw new Error(`no sample after ${firstPartMs / 1000} s`);
    for (const window of later) {
      expect(window.bytes).toBeLessThan(first.bytes * bound);
      expect(window.threads).toBeLessThanOrEqual(first.threads + poolThreads);
      expect(Math.abs(window.files - first.files)).toBeLessThanOrEqual(startingFiles);
    }
    await until(
      () => `as few descriptors and processes as at the start: ${JSON.stringify([atStart, heldBy(server)])}`,
      () => {
        const { files, processes } = heldBy(server);
        return files <= atStart.files && processes === 4; // two workers and the reaper above each
      },
    );
  },
  (minutes + 3) * 60_000,
);

const quiet = `[TabPy]
[loggers]
keys=root
[handlers]
keys=console
[formatters]
keys=plain
[logger_root]
level=CRITICAL
handlers=console
[handler_console]
class=StreamHandler
formatter=plain
args=(sys.stderr,)
[formatter_plain]
format=%(levelname)s %(message)s
`;

/** A request, and a check of its answer. */
interface Request {
  readonly bytes: Buffer;
  readonly isRight: (status: number, body: Buffer) => boolean;
}

function request(
  method: string,
  path: string,
  body: unknown,
  authorization: string,
  isRight: Request["isRight"],
): Request {
  const text = Buffer.from(body === undefined ? "" : JSON.stringify(body));
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\nContent-Length: ${text.length}\r\n\r\n`;
  return { bytes: Buffer.concat([Buffer.from(head), text]), isRight };
}

function evaluation(
  script: string,
  args: Readonly<Record<string, unknown>>,
  isRight: Request["isRight"],
): Request {
  return request("POST", "/evaluate", { script, data: args }, right, isRight);
}

const equals = (wanted: unknown, wantedStatus = 200): Request["isRight"] => {
  const text = JSON.stringify(wanted);
  return (status, body) => status === wantedStatus && JSON.stringify(JSON.parse(body.toString())) === text;
};
const says =
  (wantedStatus: number, text: string): Request["isRight"] =>
  (status, body) =>
    status === wantedStatus && body.includes(text);

const alphabets = [
  "plain",
  "Žluťoučký kůň",
  "Ελληνικά",
  "кириллица",
  "עברית",
  "العربية",
  "हिन्दी",
  "ไทย",
  "日本語",
  "한국어",
  "中文",
  "😀🏽‍🚀",
  "a\u0000b",
  '"\\/\n',
  "",
];
const doubles = Array.from({ length: 55_000 }, (_, at) => Math.sin(at + 1) / 3);

/** What is called, as often as it stands here. Large requests are made once. */
function requests(): (random: Random) => Request {
  let largeAnswer: Buffer | undefined;
  const large = evaluation("return _arg1", { _arg1: doubles }, (status, body) => {
    if (largeAnswer === undefined) {
      if (status !== 200 || JSON.stringify(JSON.parse(body.toString())) !== JSON.stringify(doubles))
        return false;
      largeAnswer = Buffer.from(body);
    }
    return largeAnswer.equals(body);
  });
  const fixed = {
    large: [large],
    lists: [
      request("GET", "/endpoints", undefined, right, says(200, '"add": {')),
      request("GET", "/status", undefined, right, says(200, '"add": {')),
      request("GET", "/info", undefined, right, says(200, '"evaluate_enabled": true')),
    ],
    failing: [
      evaluation("return 1 / 0", {}, says(500, "ZeroDivisionError : division by zero")),
      evaluation("return (", {}, says(500, "SyntaxError : ")),
      evaluation("import sys\nsys.exit(3)", {}, says(500, "SystemExit : 3")),
      request("POST", "/evaluate", { script: "return 1" }, wrong, says(401, "Invalid credentials")),
      request("POST", "/query/missing", { data: [] }, right, says(404, "UnknownURI")),
    ],
  };
  return (random) => {
    const kind = random(1000);
    if (kind < 4) return pick(random, fixed.large);
    if (kind < 34) return pick(random, fixed.lists);
    if (kind < 64) return pick(random, fixed.failing);
    if (kind < 164) {
      const [a, b] = [random(1e6), random(1e6)];
      return request("POST", "/query/add", { data: [a, b] }, right, says(200, `"response": ${a + b},`));
    }
    if (kind < 264) {
      const texts = Array.from({ length: random(20) }, () =>
        random(5) === 0 ? null : pick(random, alphabets),
      );
      return evaluation("return _arg1[::-1]", { _arg1: texts }, equals(texts.toReversed()));
    }
    const numbers = Array.from({ length: random(10) }, () => random(1e6) / 8);
    return evaluation("return [2 * x for x in _arg1]", { _arg1: numbers }, equals(numbers.map((x) => 2 * x)));
  };
}

/** One kept connection at full rate until `end`. Counts answers by status, and throws at the first wrong one. */
async function call(
  server: TestServer,
  seed: number,
  end: number,
  counts: Record<string, number>,
): Promise<void> {
  const random = createRandom(seed);
  const next = requests();
  const socket = connect({ port: server.port, host: "127.0.0.1", noDelay: true });
  try {
    while (performance.now() < end) {
      const { bytes, isRight } = next(random);
      const { status, body } = await answerTo(socket, bytes);
      if (!isRight(status, body))
        throw new Error(`wrong answer ${status} ${body.subarray(0, 500)} to ${bytes.subarray(0, 2000)}`);
      counts[status] = (counts[status] ?? 0) + 1;
    }
  } finally {
    socket.destroy();
  }
}

function answerTo(socket: Socket, bytes: Buffer): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    let whole = Number.POSITIVE_INFINITY;
    let headBytes = 0;
    const closed = () => reject(new Error(`closed without an answer to ${bytes.subarray(0, 2000)}`));
    const onData = (part: Buffer) => {
      parts.push(part);
      size += part.length;
      if (headBytes === 0) {
        const start = Buffer.concat(parts);
        headBytes = start.indexOf("\r\n\r\n") + 4;
        if (headBytes === 3) {
          headBytes = 0;
          return;
        }
        const [, length] = /\r\ncontent-length: *(\d+)/i.exec(start.toString("latin1", 0, headBytes)) ?? [];
        whole = headBytes + Number(length);
      }
      if (size < whole) return;
      socket.off("data", onData);
      socket.off("close", closed);
      const all = Buffer.concat(parts);
      resolve({ status: Number(all.toString("latin1", 9, 12)), body: all.subarray(headBytes) });
    };
    socket.on("data", onData);
    socket.once("close", closed);
    socket.write(bytes);
  });
}

/** Now and then a new version of a function, which must answer once it is loaded, and a script that never ends. */
async function callRarely(server: TestServer, end: number, counts: Record<string, number>): Promise<void> {
  // Made before, because making one stops this process for a while.
  const archives = Array.from({ length: 4 }, (_, at) => functionArchive(`def f(): return ${at}`, "f"));
  for (let version = 1; performance.now() < end; version++) {
    const wanted = version % archives.length;
    const archive = archives[wanted] ?? Buffer.alloc(0);
    const deployed = await deploy(server, "versions", archive, version);
    await loaded(server, "versions");
    const answer = await query(server, "versions", []);
    if (answer.json?.response !== wanted)
      throw new Error(
        `version ${version}: ${deployed.status} ${deployed.text}, then ${answer.status} ${answer.text}`,
      );
    const endless = await server.evaluate("while True: pass");
    if (endless.status !== 408) throw new Error(`an endless script: ${endless.status} ${endless.text}`);
    for (const { status } of [deployed, answer, endless]) counts[status] = (counts[status] ?? 0) + 1;
    await Bun.sleep(Math.min(rareMs, Math.max(0, end - performance.now())));
  }
}

/** The medians of each window. */
function windowsOf(samples: readonly Sample[]): Held[] {
  const size = Math.ceil(samples.length / windows);
  return Array.from({ length: Math.ceil(samples.length / size) }, (_, at) => {
    const own = samples.slice(at * size, (at + 1) * size);
    return {
      bytes: median(own.map(({ bytes }) => bytes)),
      files: median(own.map(({ files }) => files)),
      threads: median(own.map(({ threads }) => threads)),
      processes: median(own.map(({ processes }) => processes)),
    };
  });
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function printSeries(samples: readonly Sample[], counts: Readonly<Record<string, number>>): void {
  const every = Math.max(1, Math.round(samples.length / 24));
  console.log("seconds    calls   MB  descriptors  threads  processes");
  for (const { ms, calls, bytes, files, threads, processes } of samples.filter((_, at) => at % every === 0)) {
    const cells = [
      (ms / 1000).toFixed(0).padStart(7),
      String(calls).padStart(9),
      (bytes / 2 ** 20).toFixed(0).padStart(5),
    ];
    console.log(
      `${cells.join("")}${String(files).padStart(13)}${String(threads).padStart(9)}${String(processes).padStart(11)}`,
    );
  }
  console.log("answers by status:", counts);
}
