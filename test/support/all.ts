// Which tests run: the everyday ones, or those of `scripts/test --all` too, which sets TABPY_TEST_ALL=1: other Pythons,
// long repetitions, and a few long variants of what everyday tests check.

import { test } from "bun:test";

export const isAll = process.env.TABPY_TEST_ALL === "1";

/** A test that only `scripts/test --all` runs. */
export const testOfAll = test.skipIf(!isAll);
