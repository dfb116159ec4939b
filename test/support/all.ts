// Which tests run: the everyday ones, or those of `scripts/test --all` too, which sets TABPY_TEST_ALL=1: other Pythons,
// and long repetitions.

import { test } from "bun:test";

export const isAll = process.env.TABPY_TEST_ALL === "1";

/** A test that only `scripts/test --all` runs. */
export const testOfAll = test.skipIf(!isAll);
