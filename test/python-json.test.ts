import { expect, test } from "bun:test";
import { numberOf, parseExactJson, pythonJson } from "../src/python-json.ts";
import { testPython } from "./support/interpreters.ts";

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

test("pythonJson() omits undefined members", () => {
  expect(pythonJson({ a: undefined, b: 1, c: undefined })).toBe('{"b": 1}');
});

test("pythonJson() writes null for an undefined item", () => {
  expect(pythonJson([undefined, 1])).toBe("[null, 1]");
});

test("pythonJson() writes a lone surrogate as its escape", () => {
  expect(pythonJson("\ud800")).toBe('"\\ud800"');
});

const numbers = [
  "0",
  "-0",
  "1.0",
  "-1.50",
  "1e5",
  "1E+400",
  "0.10",
  "12345678901234567890123",
  "9007199254740993",
];
for (const number of numbers) {
  test(`parseExactJson() keeps ${number} as it is written`, () => {
    const text = `{"a": [${number}, {"b": ${number}}], "c": ${number}}`;
    expect(pythonJson(parseExactJson(text))).toBe(text);
    expect(pythonJson(parseExactJson(number))).toBe(number);
  });
}

test("parseExactJson() reads everything else as JSON.parse does", () => {
  const text = '{"a": ["1.0", null, true, "\\ud800", {}], "__proto__": {"x": "y"}}';
  expect(parseExactJson(text)).toEqual(JSON.parse(text));
  expect(pythonJson(parseExactJson(text))).toBe(text);
  for (const bad of ["", "{", "[1,]", "nan", "[01]", "NaN1"])
    expect(() => parseExactJson(bad)).toThrow(SyntaxError);
});

test("parseExactJson() reads Python's NaN and infinities as null, outside of strings", () => {
  const text = '{"NaN": [NaN, -Infinity, Infinity], "a\\"": "\\"Infinity\\\\", "b": NaN, "c": 1.0}';
  expect(pythonJson(parseExactJson(text))).toBe(
    '{"NaN": [null, null, null], "a\\"": "\\"Infinity\\\\", "b": null, "c": 1.0}',
  );
});

test("numberOf() is the number that parseExactJson() read, and undefined for other values", () => {
  expect(numbers.map((number) => numberOf(parseExactJson(number)))).toEqual(numbers.map(Number));
  expect(numberOf(5)).toBe(5);
  for (const other of [null, "5", [5], {}, undefined, true]) expect(numberOf(other)).toBeUndefined();
});
