// The compiled executable and its commands: TABPY_TEST_BINARY names it, dist/tabpy without that.

import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const binary = process.env.TABPY_TEST_BINARY ?? join(import.meta.dir, "../../dist/tabpy");

/** This environment without TabPy's variables, and with `extra`. */
export function cleanEnvironment(extra: Readonly<Record<string, string>>): Record<string, string> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("TABPY_"));
  return { ...Object.fromEntries(inherited), ...extra } as Record<string, string>;
}

/** How a command ended and what it printed. */
export interface Outcome {
  /** The exit code, or the name of the signal that ended it. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run the executable until it ends; after `timeoutMs` it is killed, and the code is `SIGKILL`. */
export async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { file = binary, cwd = tmpdir(), timeoutMs = 15_000 } = {},
): Promise<Outcome> {
  const child = spawn(file, args, {
    env: cleanEnvironment(env),
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const outcome = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    outcome.stdout += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    outcome.stderr += chunk;
  });
  const code = await new Promise<number | string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode, signal) => resolve(exitCode ?? String(signal)));
  });
  return { code, ...outcome };
}
