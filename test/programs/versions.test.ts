// The unit tests of the worker program (run.py) with the Python of TABPY_TEST_PYTHON, and in `scripts/test --all` with
// every CPython 3.9 to 3.13 of this machine; and the first message of other Pythons, which the server refuses by name.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { FrameDecoder } from "../../src/executor/channel/frames.ts";
import type { Header } from "../../src/executor/channel/messages.ts";
import { MemoryAccount } from "../../src/memory-account.ts";
import { bootProgram } from "../../src/programs/sources.ts";
import { testOfAll } from "../support/all.ts";
import { countCases, countTests } from "../support/counts.ts";
import {
  findInterpreters,
  type Interpreter,
  isSupported,
  nameOf,
  newestMinor,
  testPython,
} from "../support/interpreters.ts";

const timeoutMs = 300_000;

const cloudpickle = folderOf("cloudpickle");
const own = testPython();
const interpreters = findInterpreters();
const others = interpreters.filter((one) => isSupported(one) && nameOf(one) !== nameOf(own));
const refused = interpreters.filter((one) => !isSupported(one) && !isNewerCPython(one));

test(
  `the worker program passes its unit tests on ${nameOf(own)}`,
  async () => countTests(await runUnitTests(own)),
  timeoutMs,
);

for (const other of others) {
  testOfAll(
    `the worker program passes its unit tests on ${nameOf(other)}`,
    async () => countCases(Number.parseInt(await runUnitTests(other), 10)),
    timeoutMs,
  );
}

/** The last line of run.py, `N passed, 0 failed`; throws its report when a test failed. */
async function runUnitTests(python: Interpreter): Promise<string> {
  const run = Bun.spawn([python.file, join(import.meta.dir, "run.py")], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, TABPY_TEST_CLOUDPICKLE: cloudpickle },
  });
  const [printed, report, exitCode] = await Promise.all([run.stdout.text(), run.stderr.text(), run.exited]);
  const summary = printed.trim().split("\n").at(-1) ?? "";
  if (exitCode !== 0 || !/^[1-9]\d* passed, 0 failed(?:, \d+ skipped)?$/.test(summary))
    throw new Error(`${printed}\n${report}`);
  return summary;
}

for (const interpreter of refused) {
  test.concurrent(
    `boot.py sends hello on ${nameOf(interpreter)}`,
    async () => {
      const boot = Bun.spawn([interpreter.file, "-c", bootProgram], {
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const [output, errors, exitCode] = await Promise.all([
        boot.stdout.bytes(),
        boot.stderr.text(),
        boot.exited,
      ]);
      const frames: { header: Header; bodyBytes: number }[] = [];
      const decoder = new FrameDecoder(
        (header, body) => {
          frames.push({ header, bodyBytes: body?.length ?? -1 });
          return false;
        },
        new MemoryAccount(2 ** 31),
      );
      decoder.push(Buffer.from(output));
      expect({ frames, errors, exitCode }).toEqual({
        frames: [
          {
            header: {
              id: 0,
              kind: "hello",
              version: interpreter.version,
              implementation: interpreter.implementation,
              executable: expect.any(String),
            },
            bodyBytes: 0,
          },
        ],
        errors: "",
        exitCode: 0,
      });
    },
    timeoutMs,
  );
}

function isNewerCPython({ implementation, version: [major, minor] }: Interpreter): boolean {
  return implementation === "cpython" && (major > 3 || (major === 3 && minor > newestMinor));
}

/** Where the tests' Python has a package; "" when it doesn't have it. */
function folderOf(name: string): string {
  const program = `import ${name}; print(${name}.__path__[0])`;
  return Bun.spawnSync([testPython().file, "-c", program], { stdin: "ignore", stderr: "ignore" })
    .stdout.toString()
    .trim();
}
