import { expect, test } from "bun:test";
import { pythonJson } from "../src/python-json.ts";
import { testPython } from "./python/interpreters.ts";

const values: readonly unknown[] = [
  null,
  true,
  0,
  -1.5,
  "",
  'quotes " and \\ and /',
  "tab\t, line\n, bell\u0007, null\u0000",
  "del \u007f, C1 \u0085, separators \u2028\u2029",
  "Größe, Ελλάδα, 日本, 😀",
  [],
  {},
  [1, [2, []], { a: {} }],
  { name: "x", "": [null, false], ключ: { deep: ["é"] } },
];

test("pythonJson() writes what Python's json.dumps writes", () => {
  const program = "import json, sys; [print(json.dumps(v)) for v in json.loads(sys.stdin.read())]";
  const python = Bun.spawnSync([testPython().file, "-c", program], {
    stdin: Buffer.from(JSON.stringify(values)),
  });
  expect(values.map(pythonJson)).toEqual(python.stdout.toString().trimEnd().split("\n"));
});

test("pythonJson() leaves undefined members out", () => {
  expect(pythonJson({ a: undefined, b: 1, c: undefined })).toBe('{"b": 1}');
});

test("pythonJson() writes null for an undefined item", () => {
  expect(pythonJson([undefined, 1])).toBe("[null, 1]");
});

test("pythonJson() writes a lone surrogate as its escape", () => {
  expect(pythonJson("\ud800")).toBe('"\\ud800"');
});
