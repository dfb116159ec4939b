// A server without authentication starts only on purpose: the question at a terminal, and the end of the terminal.

import { expect, test } from "bun:test";
import { binary } from "../support/binary.ts";
import { freePort, isRefused } from "../support/network.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { atTerminal, type Step } from "./terminal.ts";

const testMs = 40_000;
const python = process.env.TABPY_TEST_PYTHON ?? "python3";
const question = "Start without authentication?";

/** What an open server that listens everywhere does when `steps` are played at its terminal. */
async function startAtTerminal(steps: readonly Step[], args: readonly string[] = []) {
  using state = temporaryFolder();
  const port = await freePort();
  // TABPY_HOST is what makes it open; nobody but this test knows the port.
  const env = {
    TABPY_HOST: "0.0.0.0",
    TABPY_PORT: String(port),
    TABPY_PYTHON: python,
    TABPY_STATE_PATH: state.path,
  };
  return { port, ...(await atTerminal([binary, ...args], steps, env)) };
}

for (const answer of ["y", "Y"]) {
  test(
    `"${answer}" starts an open server`,
    async () => {
      const { code, output } = await startAtTerminal([
        { wait: question, send: answer },
        { wait: "TabPy", send: "" },
        { wait: "serves at", send: "\x03" },
      ]);
      expect(output).toMatch(
        /Without TABPY_PWD_FILE, anyone who reaches port \d+ can run code on this machine/,
      );
      expect(output).toContain("Stopping on SIGINT");
      expect(code).toBe(0);
    },
    testMs,
  );
}

for (const [what, keys] of [
  ["n", "n"],
  ["Enter alone", "\r"],
  ["Ctrl-C", "\x03"],
  ["Ctrl-D", "\x04"],
  ["Ctrl-D behind another key", "x\x04"],
] as const) {
  test(
    `${what} starts no open server: exit code 1, and what to do`,
    async () => {
      const { code, output, port } = await startAtTerminal([{ wait: question, send: keys }]);
      expect(output).toContain(
        `Not started without authentication: anyone who reaches port ${port} can run code on this machine; set TABPY_PWD_FILE, or TABPY_HOST to 127.0.0.1, or pass --disable-auth-warning`,
      );
      expect(code).toBe(1);
    },
    testMs,
  );
}

test(
  "a terminal that is closed at the question starts no open server",
  async () => {
    const { code, output, port } = await startAtTerminal([{ wait: question, hangup: true }]);
    expect(code).not.toBe(0);
    expect(output).not.toContain("serves at");
    expect(await isRefused(port)).toBe(true);
  },
  testMs,
);

test(
  "--disable-auth-warning asks nothing",
  async () => {
    const { code, output } = await startAtTerminal(
      [{ wait: "serves at", send: "\x03" }],
      ["--disable-auth-warning"],
    );
    expect(output).not.toContain(question);
    expect(code).toBe(0);
  },
  testMs,
);

test(
  "a server at a terminal stops when that is closed",
  async () => {
    const { code, port } = await startAtTerminal(
      [{ wait: "serves at", hangup: true }],
      ["--disable-auth-warning"],
    );
    expect(code).toBe(0);
    expect(await isRefused(port)).toBe(true);
  },
  testMs,
);
