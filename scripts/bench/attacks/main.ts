// Measures attacks on the compiled server: scripts/bench/attacks/run [PART OF A NAME]. Prints a table.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { stopAll } from "../processes.ts";
import { type Attack, measureAttack } from "./attack.ts";
import { connectionAttacks } from "./connections.ts";
import { memoryAttacks } from "./memory.ts";
import { turnAttacks } from "./turns.ts";

const attacks: readonly Attack[] = [...connectionAttacks, ...memoryAttacks, ...turnAttacks];

const root = join(import.meta.dir, "../../..");
const binary = resolve(process.env.TABPY_TEST_BINARY ?? join(root, "dist/tabpy"));
const python = process.env.TABPY_TEST_PYTHON ?? "python3";
const part = process.argv[2] ?? "";
const folder = mkdtempSync(join(tmpdir(), "tabpy-attacks-"));
process.on("SIGINT", () => void stopAll().finally(() => process.exit(130)));
try {
  for (const attack of attacks.filter(({ name }) => name.includes(part))) {
    const { idleMb, peakMb, laterMb, honest } = await measureAttack(attack, binary, python, folder);
    const { calls, failed, p50Ms, p99Ms, maxMs } = honest;
    console.log(`${attack.name}\n  before   ${attack.before}`);
    console.log(`  memory   idle ${mb(idleMb)}, peak ${mb(peakMb)}, five seconds later ${mb(laterMb)}`);
    console.log(
      `  honest   p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}, longest ${ms(maxMs)}, ${failed} of ${calls} failed`,
    );
  }
} finally {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
}

function mb(value: number): string {
  return `${Math.round(value)} MB`;
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
