// One attack, measured: the peak of the server's resident memory, how long an honest client waits beside it (honest.ts),
// and what remains of both some seconds later.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { residentMb, type Server, startServer } from "../processes.ts";
import type { Waiting } from "./honest.ts";

export interface Attack {
  readonly name: string;
  /** What was measured before the server defended itself against it. */
  readonly before: string;
  /** Settings of the server. */
  readonly env?: Readonly<Record<string, string>>;
  readonly config?: string;
  /** The honest client's Authorization header. */
  readonly authorization?: string;
  /** Whether the honest client uses https; `env` makes the server do so. */
  readonly isSecure?: boolean;
  /** Attacks until `seconds` are over, by sockets of this process or by processes of its own. */
  readonly run: (server: Server, seconds: number) => Promise<void>;
  readonly seconds?: number;
}

export interface Damage {
  readonly idleMb: number;
  readonly peakMb: number;
  /** Resident memory five seconds after the attack. */
  readonly laterMb: number;
  readonly honest: Waiting;
}

const sampleMs = 20;
const restMs = 5000;

export async function measureAttack(
  attack: Attack,
  binary: string,
  python: string,
  folder: string,
): Promise<Damage> {
  const { env = {}, config, authorization = "", isSecure = false, seconds = 8 } = attack;
  const honestArgs = [authorization, isSecure ? "tls" : ""];
  const options = config === undefined ? { env } : { env, config };
  const server = await startServer(binary, python, folder, options);
  try {
    await waiting(server.port, 1, honestArgs); // the workers have started
    const idleMb = residentMb(server.pid);
    let peakMb = idleMb;
    const sampling = setInterval(() => {
      peakMb = Math.max(peakMb, residentMb(server.pid));
    }, sampleMs);
    const [honest] = await Promise.all([
      waiting(server.port, seconds, honestArgs),
      attack.run(server, seconds),
    ]);
    clearInterval(sampling);
    await Bun.sleep(restMs);
    return { idleMb, peakMb, laterMb: residentMb(server.pid), honest };
  } finally {
    await server.stop();
  }
}

async function waiting(port: number, seconds: number, others: readonly string[]): Promise<Waiting> {
  const args = [join(import.meta.dir, "honest.ts"), String(port), String(seconds), ...others];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}
