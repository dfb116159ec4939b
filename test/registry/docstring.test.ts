// Docstrings in state.ini, against Python's own `unicode_escape`. Python is TABPY_TEST_PYTHON or python3 on PATH.

import { expect, test } from "bun:test";
import { escapeDocstring, unescapeDocstring } from "../../src/registry/docstring.ts";
import { testPython } from "../support/interpreters.ts";
import { createRandom, pick } from "../support/random.ts";

const texts: readonly string[] = [
  "",
  " ",
  "  ",
  "   ",
  " a ",
  "\n",
  "Adds.\n\nParameters\n----------\n    x : int\n",
  "a\r\nb\tc\x0b\x0c\x00",
  "# ; = : [section] %(x)s 100%",
  "\\",
  "\\n is two characters, \\\\n three",
  "C:\\new\\table",
  "quotes ' and \"",
  "\x7f\x80\xa0\xff\u0100\u2028\uffff",
  "Größe 日本 😀 \u{10ffff}",
  "\ud800",
  "\ude00\ud83d \udc00x",
  ...randomTexts(500, 11),
];

test("escapeDocstring() writes what Python's unicode_escape reads", () => {
  expect(askPython("decode", texts.map(escapeDocstring))).toEqual([...texts]);
});

test("escapeDocstring() writes one line of ASCII without leading or trailing spaces", () => {
  for (const text of texts) expect(escapeDocstring(text)).toMatch(/^(?:[!-~](?:[ -~]*[!-~])?)?$/);
});

test("unescapeDocstring() reads what escapeDocstring() writes", () => {
  expect(texts.map((text) => unescapeDocstring(escapeDocstring(text)))).toEqual([...texts]);
});

test("unescapeDocstring() reads what Python's unicode_escape writes", () => {
  const written = askPython("encode", texts).map(String);
  expect(written.map(unescapeDocstring)).toEqual([...texts]);
});

test("unescapeDocstring() reads ASCII as Python's unicode_escape does, where that can", () => {
  const parts = [..."\\\\\\\\abfnrtvxuU01789aAgN'\" \n{}", "\\x4", "\\u00e", "\\U0001f60", "\\777", "\\\n"];
  const random = createRandom(12);
  const values = Array.from({ length: 2000 }, () =>
    Array.from({ length: 1 + random(8) }, () => pick(random, parts)).join(""),
  );
  const expected = askPython("decode", values);
  const readable = values.filter((_, at) => expected[at] !== null);
  expect(readable.length).toBeGreaterThan(500);
  expect(readable.map(unescapeDocstring)).toEqual(expected.filter((text) => text !== null));
});

/** Values that TabPy writes and then misreads or can't read. */
const rawForms: readonly [what: string, value: string, text: string][] = [
  ["lines", "Adds.\n\nParameters\n----------\nx : int", "Adds.\n\nParameters\n----------\nx : int"],
  ["characters beyond ASCII", "Größe 日本 😀", "Größe 日本 😀"],
  ["characters beside escapes", "é\\n\\xe9\\u65e5", "é\né日"],
  ["a backslash at the end", "C:\\", "C:\\"],
  ["a backslash that starts no escape", "\\d+ \\( \\ ", "\\d+ \\( \\ "],
  ["an incomplete escape", "\\x4 \\u00e \\U0001f60", "\\x4 \\u00e \\U0001f60"],
  ["an escape beyond Unicode", "\\U00110000", "\\U00110000"],
  ["a name of a character", "\\N{BULLET}", "\\N{BULLET}"],
];
for (const [what, value, text] of rawForms) {
  test(`unescapeDocstring() leaves raw: ${what}`, () => {
    expect(unescapeDocstring(value)).toBe(text);
    expect(unescapeDocstring(escapeDocstring(text))).toBe(text);
  });
}

function randomTexts(count: number, seed: number): string[] {
  const random = createRandom(seed);
  const parts = [..."ab \\\n\r\t\0nxu0'\"%é\x85\u2028日😀", "\ud83d", "\ude00", "\\n", "\\x41", "\n\n    "];
  const anyCode = () => String.fromCodePoint(random(0x110000));
  return Array.from({ length: count }, () =>
    Array.from({ length: random(12) }, () => (random(4) === 0 ? anyCode() : pick(random, parts))).join(""),
  );
}

/** What Python decodes the values to; null for what it can't decode. */
function askPython(direction: "encode" | "decode", values: readonly string[]): (string | null)[] {
  const program = `
import json, sys, warnings
warnings.simplefilter("ignore")
def decode(value):
    try:
        return bytes(value, "utf-8").decode("unicode_escape")
    except UnicodeDecodeError:
        return None
def encode(text):
    return text.encode("unicode_escape").decode("ascii")
json.dump([${direction}(value) for value in json.load(sys.stdin)], sys.stdout)`;
  const { stdout, stderr, exitCode } = Bun.spawnSync([testPython().file, "-X", "utf8", "-c", program], {
    stdin: Buffer.from(JSON.stringify(values)),
  });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString());
}
