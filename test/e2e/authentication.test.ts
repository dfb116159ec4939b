// A server with a password file: which requests are accepted, what is logged about the others, how a changed file
// takes effect, and that no secret is printed or logged.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { hashSync } from "bcryptjs";
import { run } from "../support/binary.ts";
import { createAuthority } from "../support/certificates.ts";
import { hostileHeader } from "../support/hostile.ts";
import { passwordHash } from "../support/password-hash.ts";
import { processesOf } from "../support/processes.ts";
import { createRandom } from "../support/random.ts";
import { type Answer, type StartOptions, startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const testMs = 40_000;
const password = "gehe:im-Pässword";
const bcryptHash = hashSync("b-crypt.secret", 4);
const users = `Alice ${passwordHash("alice", password)}\nbob ${bcryptHash}\n`;

function basic(pair: string): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}
const alice = basic(`alice:${password}`);
const bob = basic("bob:b-crypt.secret");

interface Guarded extends AsyncDisposable {
  readonly server: TestServer;
  /** The password file. */
  readonly file: string;
  info(headers?: Record<string, string>): Promise<Answer>;
}

/** A server whose password file is in a separate folder; its own requests come from alice. */
async function startGuarded(options: StartOptions = {}): Promise<Guarded> {
  const authority = createAuthority(); // for its folder
  const file = `${authority.folder}/passwords`;
  writeFileSync(file, users, { mode: 0o600 });
  const server = await startServer({
    ...options,
    init: { ...options.init, headers: alice },
    env: { TABPY_PWD_FILE: file, ...options.env },
  });
  return {
    server,
    file,
    info: (headers = {}) => server.request("/info", { headers }),
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      authority[Symbol.dispose]();
    },
  };
}

test(
  "users with PBKDF2 and with bcrypt hashes can run scripts",
  async () => {
    await using one = await startGuarded();
    for (const headers of [alice, bob, basic(`ALICE:${password}`)]) {
      expect((await one.info(headers)).status).toBe(200);
      expect((await one.server.evaluate("return int(1)", { _arg1: [4] }, { headers })).json).toBe(1);
    }
    expect((await one.info(alice)).json.versions.v1.features.authentication).toEqual({
      required: true,
      methods: { "basic-auth": {} },
    });
  },
  testMs,
);

test(
  "the log has the reason of each refused login, and never the credentials",
  async () => {
    await using one = await startGuarded();
    const refused: [headers: Record<string, string>, why: string][] = [
      [{}, "no credentials"],
      [basic("alice:typed-wrong"), 'wrong password for user "alice"'],
      [basic("typed-name:typed-wrong"), "unknown user"],
      [{ Authorization: "Basic typed:wrong" }, "malformed credentials"],
      [{ Authorization: "Bearer typed" }, "malformed credentials"],
    ];
    for (const [headers, why] of refused) {
      expect((await one.server.request("/info?token=typed", { headers })).status).toBe(401);
      await one.server.waitForLog(`Refused GET /info from 127.0.0.1: ${why}\n`);
    }
    const lines = () => one.server.log.split("\n").filter((line) => line.includes("Refused"));
    await until("a line for each", () => lines().length === refused.length);
    expect(lines().join("\n")).not.toContain("typed");
  },
  testMs,
);

test(
  "a changed password file takes effect without a restart, by itself and at once on SIGHUP",
  async () => {
    await using one = await startGuarded();
    expect((await one.info(bob)).status).toBe(200);
    await run(["user", "delete", "-u", "bob", "-f", one.file]);
    await run(["user", "add", "-u", "carl", "-p", "x:y", "-f", one.file]);
    await until("carl to be accepted", async () => (await one.info(basic("carl:x:y"))).status === 200);
    expect((await one.info(bob)).status).toBe(401);
    await one.server.waitForLog('User "bob" was removed\n');
    await one.server.waitForLog('User "carl" was added\n');

    writeFileSync(one.file, users.replace(passwordHash("alice", password), passwordHash("alice", "new")));
    one.server.process.kill("SIGHUP");
    await one.server.waitForLog('The password of user "alice" was changed\n');
    expect((await one.info(alice)).status).toBe(401);
    expect((await one.info(basic("alice:new"))).status).toBe(200);
    expect((await one.info(basic("carl:x:y"))).status).toBe(401);
  },
  testMs,
);

test(
  "a faulty or missing password file leaves the users unchanged and is logged as an error",
  async () => {
    await using one = await startGuarded();
    writeFileSync(one.file, `${users}carl\n`);
    one.server.process.kill("SIGHUP");
    const kept = "Cannot read the password file again, so the earlier one stays in use: ";
    await one.server.waitForLog(
      new RegExp(
        `\\[ERROR\\] .*${kept}Cannot read ".*passwords" line 3: expected "name hash", got only a name\n`,
      ),
    );
    expect((await one.info(alice)).status).toBe(200);
    rmSync(one.file);
    await one.server.waitForLog(new RegExp(`${kept}Cannot read TABPY_PWD_FILE ".*": ENOENT`));
    expect((await one.info(alice)).status).toBe(200);
    expect((await one.info()).status).toBe(401);
    writeFileSync(one.file, `bob ${bcryptHash}\n`);
    await until("alice to be refused", async () => (await one.info(alice)).status === 401);
  },
  testMs,
);

test(
  "a password file that everyone can read, and one without users, is logged as a warning",
  async () => {
    await using one = await startGuarded();
    expect(one.server.log).not.toContain("[WARNING] (users.ts");
    rmSync(one.file);
    writeFileSync(one.file, "# nobody\n", { mode: 0o644 });
    one.server.process.kill("SIGHUP");
    await one.server.waitForLog(
      `The password file "${one.file}" contains no users: every request will be refused\n`,
    );
    await one.server.waitForLog(
      `"${one.file}" can be read or written by everyone on this machine: expected mode 600\n`,
    );
  },
  testMs,
);

test(
  "guessing is answered with 429 after the limits; users who were authenticated before stay so",
  async () => {
    await using one = await startGuarded({
      env: { TABPY_LOGIN_FAILURES_PER_USER: "3", TABPY_LOGIN_FAILURES_PER_ADDRESS: "10" },
    });
    const statuses: number[] = [];
    let last: Answer | undefined;
    for (let at = 0; at < 5; at++) {
      last = await one.info(basic(`alice:${at}`));
      statuses.push(last.status);
    }
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect(last?.json.message).toBe("Too many failed attempts to log in");
    expect(Number(last?.headers.get("Retry-After"))).toBeGreaterThan(0);
    expect((await one.info(alice)).status).toBe(200);
    expect((await one.info(bob)).status).toBe(200);
    for (let at = 0; at < 10; at++) last = await one.info(basic(`user${at}:x`));
    expect(last?.status).toBe(429);
    one.server.process.kill("SIGHUP"); // all of them are verified again
    await one.server.waitForLog("Read the password file");
    expect((await one.info(alice)).status).toBe(200);
    await one.server.waitForLog("too many failures of this user\n");
    await one.server.waitForLog("too many failures of this address\n");
  },
  testMs,
);

/** Send a request whose header is passed byte by byte; resolves with the status. */
function statusOf(port: number, header: string): Promise<number> {
  return new Promise((resolve) => {
    let answer = "";
    const head = `GET /info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: ${header}\r\n\r\n`;
    const socket = connect(port, "127.0.0.1", () => socket.write(Buffer.from(head, "latin1")));
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])));
  });
}

test(
  "all hostile headers are refused, and the server continues",
  async () => {
    await using one = await startGuarded();
    const random = createRandom(11);
    const seen = new Map<number, number>();
    for (let round = 0; round < 40; round++) {
      const headers = Array.from({ length: 10 }, () => hostileHeader(random, ["alice", "bob"]));
      for (const status of await Promise.all(headers.map((header) => statusOf(one.server.port, header))))
        seen.set(status, (seen.get(status) ?? 0) + 1);
    }
    expect([...seen.keys()].filter((status) => ![400, 401, 429].includes(status))).toEqual([]);
    expect(seen.get(401)).toBeGreaterThan(100);
    expect((await one.info(alice)).status).toBe(200);
  },
  testMs,
);

/** What the process list and the workers' environment show of a server's processes. */
function shownByProcesses(server: TestServer): string {
  const all = processesOf(server.marker);
  const titles = all.flatMap((pid) =>
    ["cmdline", "comm"].map((name) => readFileSync(`/proc/${pid}/${name}`, "latin1")),
  );
  const tasks = all.flatMap((pid) =>
    readdirSync(`/proc/${pid}/task`).map((task) => readFileSync(`/proc/${pid}/task/${task}/comm`, "latin1")),
  );
  const ofWorkers = all
    .filter((pid) => pid !== server.pid)
    .map((pid) => readFileSync(`/proc/${pid}/environ`, "latin1"));
  return [...titles, ...tasks, ...ofWorkers].join("\n");
}

test(
  "no log line, answer or process title of a whole run shows a password, a hash or an Authorization value",
  async () => {
    using authority = createAuthority();
    const files = authority.make("locked", { passphrase: "pass-phrase-secret" });
    await using one = await startGuarded({
      scheme: "https",
      config: "[TabPy]\nTABPY_LOG_DETAILS = true\n[logger_root]\nlevel = DEBUG\n",
      env: {
        TABPY_TRANSFER_PROTOCOL: "https",
        TABPY_CERTIFICATE_FILE: files.certificateFile,
        TABPY_KEY_FILE: files.keyFile,
        TABPY_KEY_PASSPHRASE: "pass-phrase-secret",
      },
      init: { tls: { ca: readFileSync(authority.caFile) } },
    });
    const { server } = one;
    const answers: Answer[] = [];
    const ask = async (path: string, headers: Record<string, string>, init: RequestInit = {}) => {
      const answer = await server.request(path, { ...init, headers });
      answers.push(answer);
      return answer.status;
    };
    const script = (text: string) => ({ method: "POST", body: JSON.stringify({ script: text, data: {} }) });
    const statuses = new Set<number>();
    for (const headers of [
      alice,
      bob,
      {},
      basic("alice:wrong-secret"),
      basic("nobody:wrong-secret"),
      basic(`alice-${password}`),
    ]) {
      for (const path of ["/info", "/", "/nowhere", "/status", "/endpoints", "/query/x", "/evaluate"])
        statuses.add(await ask(path, headers));
      statuses.add(await ask("/evaluate", headers, script("import os\nreturn dict(os.environ)")));
      statuses.add(
        await ask("/evaluate", headers, script("print(dir(tabpy), vars(tabpy))\nraise ValueError(vars())")),
      );
      statuses.add(await ask("/evaluate", headers, script("return tabpy.headers")));
      statuses.add(await ask("/evaluate", headers, { method: "POST", body: "{" }));
    }
    for (let at = 0; at < 30; at++) statuses.add(await ask("/info", basic(`alice:wrong-secret${at}`)));
    for (const status of [200, 400, 401, 404, 405, 429, 500]) expect([...statuses]).toContain(status);
    const processes = shownByProcesses(server); // while bcrypt's thread runs
    expect(processes).toContain("TABPY_PWD_FILE");
    writeFileSync(one.file, `${users}carl ${passwordHash("carl", "x")} x\n`);
    server.process.kill("SIGHUP");
    await server.waitForLog("the earlier one stays in use");
    writeFileSync(one.file, users.replace(bcryptHash, passwordHash("bob", "x")));
    server.process.kill("SIGHUP");
    await server.waitForLog('The password of user "bob" was changed');
    await server.stop();

    const shown = `${server.log}\n${answers.map(({ text, headers }) => text + JSON.stringify([...headers])).join("\n")}\n${processes}`;
    const secrets = [
      password,
      "b-crypt.secret",
      "wrong-secret",
      "pass-phrase-secret",
      bcryptHash.slice(7),
      passwordHash("alice", password).slice(0, 16),
      passwordHash("carl", "x").slice(0, 16),
      passwordHash("bob", "x").slice(0, 16),
      "PRIVATE KEY",
      ...[alice, bob, basic("alice:wrong-secret"), basic("nobody:wrong-secret")].map(
        ({ Authorization = "" }) => Authorization.slice("Basic ".length, -2),
      ),
    ];
    for (const secret of secrets) {
      const at = shown.indexOf(secret);
      expect(at === -1 ? "" : shown.slice(Math.max(0, at - 200), at + 100)).toBe("");
    }
  },
  testMs,
);
