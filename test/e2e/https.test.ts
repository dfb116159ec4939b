// HTTPS as real clients see it, with an authority of their own; and renewal of certificate and passwords under load.

import { expect, test } from "bun:test";
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { isAll } from "../support/all.ts";
import { type Authority, type Certificate, createAuthority } from "../support/certificates.ts";
import { passwordHash } from "../support/password-hash.ts";
import { type StartOptions, startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const testMs = 60_000;
const python = process.env.TABPY_TEST_PYTHON ?? "python3";
const hasRequests = Bun.spawnSync([python, "-c", "import requests"]).exitCode === 0;
const alice = `Basic ${Buffer.from("alice:s3cret").toString("base64")}`;
const evaluation = JSON.stringify({ script: "return _arg1 + 1", data: { _arg1: 1 } });

interface Secure extends AsyncDisposable {
  readonly server: TestServer;
  readonly authority: Authority;
  /** The files that the server reads. */
  readonly files: Certificate;
  readonly passwordFile: string;
}

/** A server with HTTPS and a password file; the certificate's issuer is an intermediate authority. */
async function startSecure(options: StartOptions = {}): Promise<Secure> {
  const authority = createAuthority();
  const files = authority.make("server", { isChained: true, commonName: "number 0" });
  const passwordFile = join(authority.folder, "passwords");
  writeFileSync(passwordFile, `alice ${passwordHash("alice", "s3cret")}\n`, { mode: 0o600 });
  const server = await startServer({
    ...options,
    scheme: "https",
    init: { headers: { Authorization: alice }, tls: { ca: readFileSync(authority.caFile) } },
    env: {
      TABPY_TRANSFER_PROTOCOL: "https",
      TABPY_CERTIFICATE_FILE: files.certificateFile,
      TABPY_KEY_FILE: files.keyFile,
      TABPY_PWD_FILE: passwordFile,
      ...options.env,
    },
  });
  return {
    server,
    authority,
    files,
    passwordFile,
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      authority[Symbol.dispose]();
    },
  };
}

async function printed(...command: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

/** The name in the certificate of a new connection. */
function servedName(port: number, ca: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", ca }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

test(
  "curl trusts the server by the authority alone, and authenticates with a password",
  async () => {
    await using one = await startSecure();
    const url = `https://localhost:${one.server.port}/evaluate`;
    const call = ["curl", "-sS", "--cacert", one.authority.caFile, "-d", evaluation];
    expect((await printed(...call, "-u", "alice:s3cret", url)).stdout).toBe("2");
    const refused = await printed(...call, "-u", "alice:no", "-w", "%{http_code}", url);
    expect(refused.stdout).toEndWith("401");
    const untrusting = await printed("curl", "-sS", "-u", "alice:s3cret", "-d", evaluation, url);
    expect([untrusting.code, untrusting.stdout]).toEqual([60, ""]);
    const plain = await printed(
      "curl",
      "-sS",
      "-w",
      "%{http_code}",
      `http://localhost:${one.server.port}/info`,
    );
    expect(plain.stdout).toContain("This port speaks HTTPS only");
    expect(plain.stdout).toEndWith("400");
    const headers = await printed("curl", "-sSI", "--cacert", one.authority.caFile, url);
    expect(headers.stdout).not.toMatch(/strict-transport-security/i);
  },
  testMs,
);

test.skipIf(!hasRequests)(
  "Python's requests, with a session that stays open and a large body",
  async () => {
    await using one = await startSecure();
    const program = `
import json, sys, requests
session = requests.Session()
session.trust_env = False  # no bundle of authorities and no proxy of this machine's
session.verify, session.auth = sys.argv[2], ("alice", "s3cret")
url = f"https://localhost:{sys.argv[1]}"
print(session.get(url + "/info").json()["name"])
for size in (1, 1000, 1000000):
    column = list(range(size))
    answer = session.post(url + "/evaluate", json={"script": "return _arg1", "data": {"_arg1": column}})
    print(answer.status_code, answer.json() == column)
session.auth = None
print(session.get(url + "/info").status_code)
try:
    session.get(f"https://127.0.0.2:{sys.argv[1]}/info")
except requests.exceptions.ConnectionError as error:
    print(type(error).__name__)
`;
    const { stdout, stderr } = await printed(
      python,
      "-c",
      program,
      String(one.server.port),
      one.authority.caFile,
    );
    expect(stderr).toBe("");
    expect(stdout.trim().split("\n")).toEqual([
      "TabPy Server",
      "200 True",
      "200 True",
      "200 True",
      "401",
      "ConnectionError",
    ]);
  },
  testMs,
);

test(
  "the deploy client trusts a private authority when it is told to",
  async () => {
    await using one = await startSecure();
    const program = `
import sys
sys.path.insert(0, sys.argv[3])
from tabpy.tabpy_tools.client import Client
client = Client("https://localhost:" + sys.argv[1] + "/", verify=sys.argv[2])
client.set_credentials("alice", "s3cret")
client.deploy("add", lambda x, y: x + y)
print(client.query("add", 3, 4)["response"])`;
    const programs = new URL("../../src/programs", import.meta.url).pathname;
    const { port } = one.server;
    const ran = await printed(python, "-c", program, String(port), one.authority.caFile, programs);
    expect(ran).toEqual({ code: 0, stdout: "7\n", stderr: "" });
  },
  testMs,
);

test(
  "openssl is refused with TLS 1.1 and taken with 1.3",
  async () => {
    await using one = await startSecure();
    const talk = (...options: string[]) =>
      printed(
        ...[
          "openssl",
          "s_client",
          "-connect",
          `127.0.0.1:${one.server.port}`,
          "-CAfile",
          one.authority.caFile,
        ],
        ...options,
      );
    const old = await talk("-tls1_1", "-cipher", "ALL:@SECLEVEL=0");
    expect(old.stdout).toContain("Cipher is (NONE)");
    expect(old.stderr).toContain("alert protocol version");
    const modern = await talk("-tls1_3");
    expect(modern.stdout).toContain("New, TLSv1.3, Cipher is TLS_");
    expect(modern.stdout).toContain("Verify return code: 0 (ok)");
  },
  testMs,
);

test(
  "the script of a client that disconnects ends, over HTTPS too",
  async () => {
    await using one = await startSecure({ env: { TABPY_WORKERS: "1" } });
    const aborted = new AbortController();
    const path = JSON.stringify(one.server.path("runs"));
    const script = `import time\nopen(${path}, "w").write("x")\nwhile True: time.sleep(0.01)`;
    const call = one.server.evaluate(script, {}, { signal: aborted.signal }).catch(() => "gone");
    await one.server.written("runs");
    aborted.abort();
    expect(await call).toBe("gone");
    expect((await one.server.evaluate("return 1")).json).toBe(1);
  },
  testMs,
);

test(
  "a new certificate is used when the files have changed; a faulty one is logged as an error",
  async () => {
    await using one = await startSecure();
    const ca = readFileSync(one.authority.caFile);
    const renewed = one.authority.make("renewed", { isChained: true, commonName: "number 1" });
    writeFileSync(one.files.certificateFile, readFileSync(renewed.certificateFile));
    one.server.process.kill("SIGHUP"); // between one file and the other
    await one.server.waitForLog(
      /\[ERROR\] .*Cannot read the certificate and key again, so the earlier one stays in use: Error using HTTPS: The key in/,
    );
    expect(await servedName(one.server.port, ca)).toBe("number 0");
    writeFileSync(one.files.keyFile, readFileSync(renewed.keyFile));
    await until("the new certificate", async () => (await servedName(one.server.port, ca)) === "number 1");
    expect((await one.server.request("/info")).status).toBe(200);
  },
  testMs,
);

const renewals = isAll ? 100 : 10;
test(
  `${renewals} renewals of certificate and passwords under load fail no request but those with old passwords`,
  async () => {
    await using one = await startSecure({ config: "[TabPy]\n[logger_root]\nlevel = WARNING\n" });
    const { server, authority } = one;
    const made = [1, 2].map((at) =>
      authority.make(`number${at}`, { isChained: true, commonName: `number ${at}` }),
    );
    const stop = join(authority.folder, "stop");
    const clients = Bun.spawn(
      [process.execPath, join(import.meta.dir, "https-load.ts"), String(server.port), authority.caFile, stop],
      { env: { ...process.env, AUTHORIZATION: alice }, stdin: "ignore", stdout: "pipe", stderr: "inherit" },
    );
    const replace = (from: string, to: string) => {
      copyFileSync(from, `${to}.new`);
      renameSync(`${to}.new`, to);
    };
    const ca = readFileSync(authority.caFile);
    const statuses = new Set<number>();
    for (let turn = 1; turn <= renewals; turn++) {
      const next = made[turn % 2];
      if (next === undefined) throw new Error("no certificate");
      replace(next.certificateFile, one.files.certificateFile);
      replace(next.keyFile, one.files.keyFile);
      const lines = `alice ${passwordHash("alice", "s3cret")}\nbob ${passwordHash("bob", `password ${turn}`)}\n`;
      writeFileSync(`${one.passwordFile}.new`, lines, { mode: 0o600 });
      renameSync(`${one.passwordFile}.new`, one.passwordFile);
      server.process.kill("SIGHUP");
      const info = (password: string) =>
        server.request("/info", { headers: { Authorization: `Basic ${btoa(`bob:${password}`)}` } });
      await until("bob's new password", async () => (await info(`password ${turn}`)).status === 200);
      statuses.add((await info(`password ${turn - 1}`)).status);
      const wanted = `number ${(turn % 2) + 1}`;
      await until(wanted, async () => (await servedName(server.port, ca)) === wanted);
    }
    expect(existsSync(stop)).toBe(false);
    writeFileSync(stop, "");
    const { calls, failures } = JSON.parse(await clients.stdout.text());
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThan(5 * renewals);
    expect([...statuses]).toEqual([401]);
    expect(server.log).not.toMatch(/\[ERROR\](?!.*Responding with status=401,)/);
  },
  3 * testMs,
);

test(
  "a large answer is complete for a client that reads with pauses, and waits outside of the server's memory",
  async () => {
    await using secure = await startSecure({ env: { TABPY_MAX_BUFFERED_MB: "64" } });
    const body = JSON.stringify({ script: "return list(range(3_000_000))", data: {} });
    const ca = readFileSync(secure.authority.caFile);
    const chunks: Buffer[] = [];
    let peakKb = 0;
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ port: secure.server.port, host: "127.0.0.1", ca }, () =>
        socket.write(
          `POST /evaluate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: ${alice}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        ),
      );
      socket.on("data", (chunk) => {
        const status = readFileSync(`/proc/${secure.server.pid}/status`, "utf8");
        peakKb = Math.max(peakKb, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]));
        if (chunks.push(Buffer.from(chunk)) % 20 !== 0) return;
        socket.pause();
        setTimeout(() => socket.resume(), 1);
      });
      socket.on("error", reject);
      socket.on("close", () => resolve());
    });
    const text = Buffer.concat(chunks).toString("latin1");
    const numbers = JSON.parse(text.slice(text.indexOf("\r\n\r\n")));
    expect(numbers.length).toBe(3_000_000);
    expect(numbers.every((number: number, at: number) => number === at)).toBe(true);
    expect(peakKb / 1024).toBeLessThan(170);
  },
  testMs,
);
