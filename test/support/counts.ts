// Counts of tests that run inside one test of ours, another language's for example: scripts/test adds them to its
// last line.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Leave a line that begins with `N passed, M failed` for scripts/test, which sets TABPY_TEST_COUNTS to a folder. */
export function leaveCounts(name: string, line: string): void {
  const folder = process.env.TABPY_TEST_COUNTS;
  if (folder === undefined || folder === "") return;
  writeFileSync(join(folder, `${name.replace(/[^\w.-]+/g, "-")}.txt`), `${line}\n`);
}
