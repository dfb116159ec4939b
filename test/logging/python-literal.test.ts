// The reader of Python literals against Python's own ast.literal_eval, and what only ours reads or refuses.

import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { type Literal, parseLiteral } from "../../src/logging/config/python-literal.ts";

const texts = [
  "()",
  "(1,)",
  "(1)",
  "1, 2",
  "1,",
  "[]",
  "[1, 2,]",
  "{}",
  "{'a': 1, 'b': (2, [3])}",
  "{1: None, 'x': True,}",
  "('x.log', 'a', 1000000, 5)",
  "  ( 'a' ,\n 'b'\n)",
  "None",
  "True",
  "False",
  "-1",
  "+1",
  "0x1F",
  "1.5",
  ".5",
  "5.",
  "1e3",
  "1E-3",
  "'a' 'b' \"c\"",
  "'it''s'",
  "'\\n\\t\\\\\\'\\\"\\a\\b\\f\\v\\r'",
  "'\\x41\\u00e9\\u65e5'",
  "'\\q\\d'",
  "r'\\n\\x41'",
  'R"a\\"b"',
  "u'é'",
  "U'x' r'\\y'",
  "'a\\\nb'",
  "'日本 😀'",
  "('a' # comment\n, 2)",
  "(('localhost', 514), 1)",
  "((), [()], {'k': {}})",
  "-1.5e-3",
  "(1 ,\\\n2)",
];
const refusedByBoth = [
  "",
  "(",
  ")",
  "(1",
  "(1 2)",
  "[1 2]",
  "{'a'}x",
  "{'a': }",
  "{'a' 1}",
  "'a",
  '"a\nb"',
  "'''a",
  "1 2",
  "01",
  "1__0",
  "1_",
  "0x",
  "0b2",
  "1.2.3",
  "1a",
  ",",
  "(,)",
  "'\\x4'",
  "'\\u12'",
  "'\\UFFFFFFFF'",
  "$",
  "f'{x}'",
  "lambda: 1",
  "__import__('os').system('id')",
  "open('/etc/passwd')",
  "[x for x in (1,)]",
  "a if b else c",
  "'a' + 'b'",
  "'%s' % 1",
  "not True",
];

const python = askPython([...texts, ...refusedByBoth]);

describe("parseLiteral() reads as Python does", () => {
  for (const [index, text] of texts.entries()) {
    test(JSON.stringify(text), () => expect(plain(parseLiteral(text))).toEqual(python[index]));
  }
});

describe("parseLiteral() evaluates nothing and refuses", () => {
  for (const [index, text] of refusedByBoth.entries()) {
    test(JSON.stringify(text), () => {
      expect(python[texts.length + index]).toBe("refused");
      expect(() => parseLiteral(text)).toThrow(expect.objectContaining({ code: "config" }));
    });
  }
});

describe("parseLiteral()", () => {
  test("keeps names as names", () => {
    expect(parseLiteral("(sys.stdout, handlers . SysLogHandler.LOG_USER)")).toEqual({
      kind: "tuple",
      items: [
        { kind: "name", name: "sys.stdout" },
        { kind: "name", name: "handlers.SysLogHandler.LOG_USER" },
      ],
    });
  });

  const number = "a number such as 10, 1.5 or 0x1f (no _, octal and binary)";
  const escapes = "escapes such as \\n, \\xff and \\uffff (no octal, \\U and \\N)";
  const unsupported: [text: string, message: string][] = [
    ["10 * 1024", 'the end (operators are not supported) at "* 1024"'],
    ["('x', 10*1024)", '"," or ")" (operators are not supported) at "*1024)"'],
    ["'a' * 3", 'the end (operators are not supported) at "* 3"'],
    ["2 ** 3", 'the end (operators are not supported) at "** 3"'],
    ["1_000", `${number} at "1_000"`],
    ["0o17", `${number} at "0o17"`],
    ["0b101", `${number} at "0b101"`],
    ["00", `${number} at "00"`],
    ["1j", `${number} at "1j"`],
    ["'''a'''", `a string in single quotes (triple quotes are not supported) at "'''a'''"`],
    ["r'''a'''", `a string in single quotes (triple quotes are not supported) at "r'''a'''"`],
    ["'\\101'", `${escapes} at "'\\\\101'"`],
    ["'\\U0001F600'", `${escapes} at "'\\\\U0001F600'"`],
    ["'\\N{DASH}'", `${escapes} at "'\\\\N{DASH}'"`],
    ["b'a'", `a Python literal at "b'a'"`],
    ["{1, 2}", '":" at ", 2}"'],
  ];
  for (const [text, message] of unsupported) {
    test(`refuses ${text}, which Python accepts, and names what it doesn't support`, () => {
      expect(() => parseLiteral(text)).toThrow(
        expect.objectContaining({ code: "config", message: `expected ${message}` }),
      );
    });
  }

  test("refuses values that are nested too deeply, whatever their size", () => {
    expect(() => parseLiteral("(".repeat(100_000))).toThrow("expected values at most 50 deep");
    expect(() => parseLiteral("-".repeat(100_000))).toThrow("expected values at most 50 deep");
  });

  test("tells what it expected and where", () => {
    expect(() => parseLiteral("('a', $)")).toThrow('expected a Python literal at "$)"');
    expect(() => parseLiteral("('a'")).toThrow('expected "," or ")" at the end');
  });
});

/** A literal in the oracle's form. */
function plain(literal: Literal): unknown {
  switch (literal.kind) {
    case "text":
    case "boolean":
      return literal.value;
    case "integer":
      return { int: literal.value };
    case "float":
      return { float: literal.value };
    case "none":
      return null;
    case "tuple":
    case "list":
      return { [literal.kind]: literal.items.map(plain) };
    case "dict":
      return { dict: literal.entries.map(([key, value]) => [plain(key), plain(value)]) };
    default:
      return literal;
  }
}

function askPython(rows: readonly string[]): unknown[] {
  const script = `
import ast, json, sys, warnings
warnings.simplefilter("ignore")
def plain(value):
    if value is None or isinstance(value, (bool, str)): return value
    if isinstance(value, (int, float)): return {type(value).__name__: value}
    if isinstance(value, (tuple, list)): return {type(value).__name__: [plain(one) for one in value]}
    if isinstance(value, dict): return {"dict": [[plain(k), plain(v)] for k, v in value.items()]}
def read(text):
    try: return plain(ast.literal_eval(text.strip()))
    except Exception: return "refused"
json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
`;
  const ran = spawnSync(process.env.TABPY_TEST_PYTHON ?? "python3", ["-X", "utf8", "-c", script], {
    input: JSON.stringify(rows),
    encoding: "utf8",
  });
  if (ran.status !== 0) throw new Error(`Cannot run Python: ${ran.stderr}`);
  return JSON.parse(ran.stdout);
}
