// Runs a command of the binary at a terminal and plays the person at it (terminal.py).

import { tmpdir } from "node:os";
import { join } from "node:path";
import { cleanEnvironment } from "../support/binary.ts";

const python = process.env.TABPY_TEST_PYTHON ?? "python3";

export type Step = { readonly wait: string } & ({ readonly send: string } | { readonly hangup: true });

/** Play `steps` at the terminal of `command`; its exit code, negative for a signal, and the terminal's output. */
export async function atTerminal(
  command: readonly string[],
  steps: readonly Step[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; output: string }> {
  const child = Bun.spawn([python, join(import.meta.dir, "terminal.py"), JSON.stringify(steps), ...command], {
    env: { ...cleanEnvironment(env), TERM: "dumb" },
    cwd: tmpdir(),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  return JSON.parse(await child.stdout.text());
}
