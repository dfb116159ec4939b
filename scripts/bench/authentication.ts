// What authentication and HTTPS cost: /evaluate with and without them, in turns; whether the time of a refusal
// reveals that a user exists; and how long others wait while bcrypt hashes are computed.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { evaluate } from "./calls.ts";
import { type Call, median } from "./load.ts";

const password = "s3cret";
const one = evaluate({ _arg1: 1 }, "return _arg1", "1");

function basic(name: string, secret: string): string {
  return `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}`;
}

export async function measureAuthentication(bench: Bench): Promise<void> {
  const files = { pbkdf2: addUser(bench, "pbkdf2"), bcrypt: addUser(bench, "bcrypt") };
  await measureLoads(bench, files);
  await measureTiming(bench, "pbkdf2", files.pbkdf2, bench.isQuick ? 200 : 2000);
  await measureTiming(bench, "bcrypt", files.bcrypt, bench.isQuick ? 20 : 200);
  await measureOthers(bench, files.bcrypt);
}

/** Makes a password file with the user alice; returns its path. */
function addUser({ binary, folder }: Bench, scheme: string): string {
  const file = join(folder, `passwords-${scheme}`);
  const args = ["user", "add", "-u", "alice", "-p", password, "--scheme", scheme, "-f", file];
  const ran = spawnSync(binary, args);
  if (ran.status !== 0) throw new Error(`can't add a user: ${ran.stderr?.toString()}`);
  return file;
}

async function measureLoads(bench: Bench, files: { pbkdf2: string; bcrypt: string }): Promise<void> {
  const { folder, isQuick, found } = bench;
  const certificate = join(folder, "bench.crt");
  const key = join(folder, "bench.key");
  const made = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "90"],
    ...[
      "-keyout",
      key,
      "-out",
      certificate,
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=IP:127.0.0.1",
    ],
  ]);
  const tls = { TABPY_TRANSFER_PROTOCOL: "https", TABPY_CERTIFICATE_FILE: certificate, TABPY_KEY_FILE: key };
  if (made.status !== 0) found.skipped.push("HTTPS: no openssl to make a certificate with");

  const authorization = basic("alice", password);
  const kinds: {
    what: string;
    settings: Record<string, string>;
    call: Call;
    share: number;
    tabpy?: string;
  }[] = [
    { what: "", settings: {}, call: one, share: 0 },
    {
      what: "with PBKDF2 authentication",
      settings: { TABPY_PWD_FILE: files.pbkdf2 },
      call: { ...one, authorization },
      share: 90,
      tabpy: "160/s",
    },
    {
      what: "with bcrypt authentication",
      settings: { TABPY_PWD_FILE: files.bcrypt },
      call: { ...one, authorization },
      share: 90,
    },
  ];
  if (made.status === 0)
    kinds.push({ what: "over HTTPS", settings: tls, call: { ...one, isSecure: true }, share: 60 });

  const runs = await Promise.all(
    kinds.map(async (kind) => ({
      ...kind,
      server: await bench.start({ env: kind.settings }),
      perSecond: [] as number[],
    })),
  );
  for (let turn = 0; turn < (isQuick ? 3 : 7); turn++) {
    for (const { server, call, perSecond } of runs) {
      const seconds = isQuick ? 1 : 2;
      const load = await bench.run(server, call, 8, seconds);
      if (turn > 0) perSecond.push(load.calls / load.seconds); // the first one warms up
    }
  }
  const [without, ...others] = runs;
  const floor = without?.perSecond ?? [];
  for (const { what, perSecond, share, tabpy } of others) {
    // Of measurements that follow each other, because the machine's speed changes.
    const percent = median(perSecond.map((own, turn) => (own / (floor[turn] ?? Number.NaN)) * 100));
    found.figures.push({
      what: `small calls, 8 connections, ${what}`,
      value: percent,
      unit: "% of without",
      note: `${median(perSecond).toFixed(0)}/s, without ${median(floor).toFixed(0)}/s`,
      target: { text: `>= ${share} %`, isMet: percent >= share },
      ...(tabpy === undefined ? {} : { tabpy }),
    });
  }
  await Promise.all(runs.map(({ server }) => server.stop()));
}

/** Whether an attempt with an unknown user takes as long as one with a wrong password. */
async function measureTiming(bench: Bench, scheme: string, file: string, attempts: number): Promise<void> {
  const server = await startGuessable(bench, file);
  const times = { alice: [] as number[], nobody: [] as number[] };
  for (let at = 0; at < attempts; at++) {
    for (const name of at % 2 === 0 ? (["alice", "nobody"] as const) : (["nobody", "alice"] as const)) {
      const began = performance.now();
      await refused(server.port, basic(name, `guess ${at}`));
      times[name].push(performance.now() - began);
    }
  }
  await server.stop();
  const [wrong, unknown] = [median(times.alice), median(times.nobody)];
  const percent = (Math.abs(wrong - unknown) / wrong) * 100;
  bench.found.figures.push({
    what: `unknown user and wrong password, ${scheme}, ${attempts} each`,
    value: percent,
    unit: "% apart",
    note: `medians ${unknown.toFixed(3)} ms and ${wrong.toFixed(3)} ms`,
    target: { text: "< 5 %", isMet: percent < 5 },
  });
}

/** The time of GET /info while wrong passwords are verified without a pause. */
async function measureOthers(bench: Bench, file: string): Promise<void> {
  const server = await startGuessable(bench, file);
  const authorization = basic("alice", password);
  const url = `http://127.0.0.1:${server.port}/info`;
  const info = async () => {
    const began = performance.now();
    const answer = await fetch(url, { headers: { Authorization: authorization } });
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`GET /info was answered with ${answer.status}`);
    return performance.now() - began;
  };
  for (let at = 0; at < 20; at++) await info();
  let isRunning = true;
  const guesser = (async () => {
    for (let at = 0; isRunning; at++) await refused(server.port, basic("alice", `guess ${at}`));
  })();
  const times: number[] = [];
  const end = performance.now() + (bench.isQuick ? 1000 : 4000);
  while (performance.now() < end) times.push(await info());
  isRunning = false;
  await guesser;
  await server.stop();
  times.sort((a, b) => a - b);
  bench.found.figures.push({
    what: "GET /info while bcrypt hashes are computed, p99",
    value: times[Math.floor(times.length * 0.99)] ?? Number.NaN,
    unit: "ms",
    note: `p50 ${median(times).toFixed(2)} ms`,
  });
}

function startGuessable(bench: Bench, file: string) {
  return bench.start({
    env: {
      TABPY_PWD_FILE: file,
      TABPY_LOGIN_FAILURES_PER_USER: "0",
      TABPY_LOGIN_FAILURES_PER_ADDRESS: "0",
    },
  });
}

async function refused(port: number, authorization: string): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/info`, { headers: { Authorization: authorization } });
  await answer.arrayBuffer();
  if (answer.status !== 401) throw new Error(`a wrong password was answered with ${answer.status}`);
}
