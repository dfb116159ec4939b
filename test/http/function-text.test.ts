import { expect, test } from "bun:test";
import { join } from "node:path";
import { functionText } from "../../src/http/function-text.ts";
import { testPython } from "../support/interpreters.ts";

const bodies: readonly [what: string, body: string, text: string | undefined][] = [
  [
    "the script last, as Tableau sends it",
    '{"data": {"_arg1": [1], "_arg2": ["x"]}, "script": "y = 1\\nreturn y"}',
    "def _user_script(tabpy, _arg1, _arg2):\n y = 1\n return y",
  ],
  ["the script first", '{ "script" : "return 1", "data": {} }', "def _user_script(tabpy):\n return 1"],
  ["every kind of line end", '{"script": "a\\r\\nb\\rc\\nd"}', "def _user_script(tabpy):\n a\n b\n c\n d"],
  ["escapes", '{"script": "\\"\\\\\\u00e9😀\\/"}', 'def _user_script(tabpy):\n "\\é😀/'],
  [
    "a script in a string of the data",
    '{"data": {"_arg1": ["{\\"script\\": \\"no\\"}"]}, "script": "return 1"}',
    "def _user_script(tabpy, _arg1):\n return 1",
  ],
  [
    "a value that is the word",
    '{"data": {"_arg1": ["script"]}, "script": "a"}',
    "def _user_script(tabpy, _arg1):\n a",
  ],
  [
    "a script in an object of the data",
    '{"script": "return 1", "data": {"_arg1": {"script": "no", "_arg9": 1}}}',
    "def _user_script(tabpy, _arg1):\n return 1",
  ],
  [
    "two scripts, of which Python takes the last",
    '{"script": "a", "script": "b"}',
    "def _user_script(tabpy):\n b",
  ],
  ["an escape in the name", '{"scr\\u0069pt": "a"}', "def _user_script(tabpy):\n a"],
  ["a byte order mark", '\ufeff{"script": "\\ufeffa"}', "def _user_script(tabpy):\n a"],
  ["NaN", '{"data": {"_arg1": [NaN]}, "script": "a"}', "def _user_script(tabpy, _arg1):\n a"],
  ["no script", '{"data": {}}', undefined],
  ["a script that is not text", '{"script": 5}', undefined],
  ["no JSON", '{"script": "x', undefined],
  ["nothing", "", undefined],
];

test("functionText() reads the function out of a body", () => {
  for (const [what, body, text] of bodies) {
    const bytes = Buffer.from(body);
    expect([what, functionText([bytes])]).toEqual([what, text]);
    const pieces = [...bytes].map((byte) => Buffer.from([byte]));
    expect([what, functionText(pieces)]).toEqual([what, text]);
  }
});

test("functionText() finds the script at the start or the end of a large body", () => {
  const column = `[${"1.2345678901234567, ".repeat(400_000)}0]`;
  for (const body of [
    `{"data": {"_arg1": ${column}}, "script": "return 1"}`,
    `{"script": "return 1", "data": {"_arg1": ${column}}}`,
  ]) {
    const bytes = Buffer.from(body);
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 65_536) pieces.push(bytes.subarray(at, at + 65_536));
    expect(functionText(pieces)).toContain(":\n return 1");
  }
});

test("functionText() shortens as function_log.py does", async () => {
  const scripts = [
    "x".repeat(8192),
    "x".repeat(8193),
    "😀".repeat(8192),
    "😀".repeat(9000),
    "\n".repeat(20_000),
  ];
  const script = `
import json, sys; sys.path.insert(0, sys.argv[1])
from function_log import encode_function
for text in json.load(sys.stdin): print(encode_function(text, ("_arg1",)).decode())
`;
  const folder = join(import.meta.dir, "../../src/programs/worker");
  const python = Bun.spawn([testPython().file, "-c", script, folder], {
    stdin: Buffer.from(JSON.stringify(scripts)),
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = (await python.stdout.text()).trim().split("\n");
  const texts = scripts.map((one) =>
    functionText([Buffer.from(JSON.stringify({ data: { _arg1: 1 }, script: one }))]),
  );
  expect(texts).toEqual(lines.map((line) => JSON.parse(line)));
});
