import { expect, test } from "bun:test";
import { nearestName } from "../../src/config/nearest.ts";

const known = ["TABPY_PORT", "TABPY_PYTHON", "TABPY_WORKERS"];
const cases: [given: string, nearest: string | undefined, why: string][] = [
  ["TABPY_PYHTON", "TABPY_PYTHON", "two letters changed places"],
  ["TABPY_PORTS", "TABPY_PORT", "a letter too many"],
  ["TABPY_WRKERS", "TABPY_WORKERS", "a letter too few"],
  ["tabpy_port", "TABPY_PORT", "case doesn't count"],
  ["TABPYPORT", "TABPY_PORT", "no underscore"],
  ["SOMETHING_ELSE", undefined, "further than a third of its length"],
  ["PORT", undefined, "six letters are missing"],
  ["", undefined, "nothing is near to no name"],
];
for (const [given, nearest, why] of cases) {
  test(`nearestName() of "${given}" is ${nearest}: ${why}`, () => {
    expect(nearestName(given, known)).toBe(nearest);
  });
}

test("nearestName() takes the first of two that are equally near", () => {
  expect(nearestName("TABPY_A", ["TABPY_B", "TABPY_C"])).toBe("TABPY_B");
});

test("nearestName() of no known names is undefined", () => {
  expect(nearestName("TABPY_PORT", [])).toBeUndefined();
});
