// The texts of Python's json about what it can't read, compared with those of the tests' Python.

import { expect, test } from "bun:test";
import { pythonJsonFault } from "../src/python-json-fault.ts";
import { testPython } from "./support/interpreters.ts";
import { createRandom } from "./support/random.ts";

const oracle = `
import json, sys
for line in sys.stdin:
    try:
        json.loads(bytes.fromhex(line).decode("utf-8").lstrip("\\ufeff"))
        print(json.dumps(None))
    except ValueError as error:
        print(json.dumps(str(error)))
`;

/** What Python says about each of the bodies; null for those that it reads. */
function pythonFaults(bodies: readonly Buffer[]): (string | null)[] {
  const { stdout } = Bun.spawnSync([testPython().file, "-c", oracle], {
    stdin: Buffer.from(bodies.map((body) => `${body.toString("hex")}\n`).join("")),
  });
  return stdout
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

const bodies: readonly (string | readonly number[])[] = [
  "",
  "  \n ",
  "{nope",
  "{",
  "{'a': 1}",
  '{"a"',
  '{"a" 1}',
  '{"a": }',
  '{"a": 1',
  '{"a": 1 "b": 2}',
  '{"a": [1, {"b": tru}]}',
  "[1 2]",
  "[1, 2",
  "[",
  "[[], {}, ]]",
  "{} {}",
  '{"a": 1}}\n',
  "01",
  "1.",
  "-",
  "+1",
  "nul",
  '{"name": "x\n"}',
  '"abc',
  '"abc\\',
  '"\\x"',
  '"\\u12"',
  '"\\u12g4"',
  '"\\u1234',
  '"\\ud83d\\u12"',
  "[NaN, -Infinity, 1e5, -0.5]",
  '{\n"é": "日本",\n "😀": "😀" x}',
  "\ufeff{}",
  [0xff, 0xfe],
  [0x22, 0xc3],
  [0x22, 0xc3, 0x22],
  [0x22, 0xe2, 0x82],
  [0x22, 0xe2, 0x82, 0x22],
  [0x22, 0xed, 0xa0, 0x80, 0x22],
  [0x22, 0xf0, 0x9f, 0x98],
  [0x22, 0xf4, 0x90, 0x80, 0x80],
  [0x80],
  [0x7b, 0xf5],
];

test("pythonJsonFault() has the words of Python's json for every kind of fault", () => {
  const all = bodies.map((body) => Buffer.from(body as string));
  expect(all.map((body) => pythonJsonFault(body) ?? null)).toEqual(pythonFaults(all));
});

test("pythonJsonFault() has the words of Python's json for random texts", () => {
  const random = createRandom(12);
  const parts = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\n",
    '"a"',
    '"',
    "\\u00e",
    "\\",
    "1",
    "-",
    ".5",
    "null",
    "é",
    "😀",
  ];
  const texts = Array.from({ length: 3000 }, () =>
    Array.from({ length: 1 + random(9) }, () => parts[random(parts.length)]).join(""),
  );
  // Python 3.13 has other words for a comma before the end.
  const all = texts.filter((text) => !/,\s*[\]}]/.test(text)).map((text) => Buffer.from(text));
  const faults = all.map((body) => pythonJsonFault(body) ?? null);
  expect(faults.filter((fault) => fault !== null).length).toBeGreaterThan(1000);
  expect(faults).toEqual(pythonFaults(all));
});

test("pythonJsonFault() has the words of Python's json for random bytes in a string", () => {
  const random = createRandom(13);
  const leads = [0x41, 0x80, 0xa0, 0xbf, 0xc2, 0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0xf5];
  const all = Array.from({ length: 3000 }, () =>
    Buffer.from([0x22, ...Array.from({ length: random(6) }, () => leads[random(leads.length)] ?? 0), 0x22]),
  );
  expect(all.map((body) => pythonJsonFault(body) ?? null)).toEqual(pythonFaults(all));
});

test("pythonJsonFault() reads any depth of nesting", () => {
  const deep = "[".repeat(1_000_000);
  expect(pythonJsonFault(Buffer.from(deep))).toBe("Expecting value: line 1 column 1000001 (char 1000000)");
});
