// Numbers that bun's report doesn't have, for the last two lines of scripts/test: how many cases a test checked, and
// how many tests of another program ran inside it. They are appended to the file that TABPY_TEST_COUNTS names.

import { appendFileSync } from "node:fs";

/** Check every row in one test. Fails at the first row whose check throws, and names it. */
export async function checkCases<T>(
  rows: readonly T[],
  nameOf: (row: T) => string,
  check: (row: T, index: number) => void | Promise<void>,
): Promise<void> {
  countCases(rows.length);
  for (const [index, row] of rows.entries()) {
    try {
      await check(row, index);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new Error(`case ${index + 1} of ${rows.length}, "${nameOf(row)}": ${text}`, { cause: error });
    }
  }
}

/** Record that the running test checks `count` cases and not one. */
export function countCases(count: number): void {
  note(`cases ${count}`);
}

/** Record tests that ran inside the running test, from a line that starts with `N passed, M failed`. */
export function countTests(summary: string): void {
  const [, passed, failed] = /^(\d+) passed, (\d+) failed/.exec(summary) ?? [];
  if (passed === undefined) throw new Error(`expected "N passed, M failed", got "${summary}"`);
  note(`tests ${passed} ${failed}`);
}

function note(line: string): void {
  const file = process.env.TABPY_TEST_COUNTS ?? "";
  if (file !== "") appendFileSync(file, `${line}\n`);
}
