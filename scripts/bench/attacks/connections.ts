// Floods of connections (flood.ts), and guesses at the password of a user who logs in for the first time meanwhile.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { passwordHash } from "../../../test/support/password-hash.ts";
import type { Server } from "../processes.ts";
import type { Attack } from "./attack.ts";

const clients = 150;
const handshaking = 50;
const guessers = 10;
const authorization = `Basic ${btoa("bob:right")}`;

const folder = mkdtempSync(join(tmpdir(), "tabpy-floods-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const passwordFile = join(folder, "passwords");
const users = ["alice", "bob"].map((name) => `${name} ${passwordHash(name, "right")}\n`);
writeFileSync(passwordFile, users.join(""), { mode: 0o600 });
const withPasswords = { env: { TABPY_PWD_FILE: passwordFile }, authorization };

export const connectionAttacks: readonly Attack[] = [
  {
    name: "a connection for each request, without credentials, reset after the answer",
    before: "honest p50 480 ms, 14,000 descriptors",
    ...withPasswords,
    run: (server, seconds) => flood("reconnect", server, seconds, clients),
  },
  {
    name: "a connection for each request, without credentials, closed by the server",
    before: "honest p50 4.3 s on a busy machine",
    ...withPasswords,
    run: (server, seconds) => flood("close", server, seconds, clients),
  },
  {
    name: "TLS handshakes without a request",
    before: "honest p99 5.2 s, three refused",
    env: tls(),
    isSecure: true,
    run: (server, seconds) => flood("handshake", server, seconds, handshaking),
  },
  {
    name: "guesses at the name of a user who logs in for the first time",
    before: "429 for 3 s at a time",
    ...withPasswords,
    run: async (server, seconds) => {
      const attack = flood("guess", server, seconds, guessers);
      await Bun.sleep((seconds / 2) * 1000);
      const began = performance.now();
      const headers = { Authorization: `Basic ${btoa("alice:right")}` };
      const { status } = await fetch(`http://127.0.0.1:${server.port}/info`, { headers });
      console.log(`first login: ${status} after ${(performance.now() - began).toFixed(0)} ms`);
      await attack;
    },
  },
];

async function flood(kind: string, { port }: Server, seconds: number, count: number): Promise<void> {
  const args = [join(import.meta.dir, "flood.ts"), kind, port, seconds, count, 1].map(String);
  const child = spawn(process.execPath, args, { stdio: "inherit" });
  const force = setTimeout(() => child.kill("SIGKILL"), (seconds + 5) * 1000);
  await once(child, "exit");
  clearTimeout(force);
}

/** Settings with a key of RSA 2048, the costliest of the usual ones. */
function tls(): Record<string, string> {
  const [certificate, key] = [join(folder, "server.crt"), join(folder, "server.key")];
  const made = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-subj", "/CN=localhost"],
    ...["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
  ]);
  if (made.status !== 0) throw new Error(`can't make a certificate: ${made.stderr?.toString()}`);
  return { TABPY_TRANSFER_PROTOCOL: "https", TABPY_CERTIFICATE_FILE: certificate, TABPY_KEY_FILE: key };
}
