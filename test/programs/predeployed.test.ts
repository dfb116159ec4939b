// The unit tests of the predeployed functions, with the Python that has the packages that they need.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { countTests } from "../support/counts.ts";
import { testPython } from "../support/interpreters.ts";

test("the predeployed functions pass their unit tests, and none is skipped", async () => {
  const run = Bun.spawn([testPython().file, join(import.meta.dir, "run.py"), "test_predeployed.py"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [printed, report] = await Promise.all([run.stdout.text(), run.stderr.text()]);
  countTests(printed);
  if ((await run.exited) !== 0) throw new Error(`${printed}\n${report}`);
  expect(printed).toMatch(/^\d+ passed, 0 failed\n$/);
}, 120_000);
