// src/ini.ts against Python's configparser: every text of ini-cases.ts goes through both, and every difference
// that is intended has a test of its own. Python is TABPY_TEST_PYTHON or python3 on PATH.

import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { defaultSection, escapeValue, formatIni, type IniFile, parseIni } from "../src/ini.ts";
import {
  generateReadCases,
  generateWriteCases,
  type ReadCase,
  readCases,
  type WriteCase,
} from "./ini-cases.ts";
import { checkCases } from "./support/counts.ts";

type Value = { value: string } | { error: string };
type Content = [section: string, options: [name: string, raw: string, value: Value][]][];
type ReadAnswer = { error: string; line: number } | { sections: Content; written: string };
type WriteAnswer = { text?: string; survives: boolean };
type OracleRead = ReadCase & { keepCase: boolean; encoding?: string };
type OracleWrite = WriteCase & { keepCase: boolean };

const modes = [false, true];
const reads: OracleRead[] = [...readCases, ...generateReadCases(400, 1)].flatMap((row) =>
  modes.map((keepCase) => ({ ...row, keepCase })),
);
const writes: OracleWrite[] = generateWriteCases(200, 2).flatMap((row) =>
  modes.map((keepCase) => ({ ...row, keepCase })),
);
const python = askPython(reads, writes);

const nameOf = (row: { name: string; keepCase: boolean }) =>
  `${row.name}${row.keepCase ? ", case kept" : ""}`;

test("parseIni() reads as Python does", () =>
  checkCases(reads, nameOf, (row, index) => {
    expect(readAnswer(row)).toEqual(python.reads[index] as ReadAnswer);
  }));

describe("formatIni()", () => {
  test("writes as Python does", () =>
    checkCases(writes, nameOf, (row, index) => {
      const expected = python.writes[index] as WriteAnswer;
      const ini = fill(row);
      if (ini === undefined) {
        expect(expected.survives && hasBareNames(row)).toBe(false);
        return;
      }
      expect({ text: formatIni(ini), survives: true }).toEqual(
        expected as { text: string; survives: boolean },
      );
      const again = parseIni(formatIni(ini), { keepCase: row.keepCase });
      expect(contentOf(again)).toEqual(contentOf(ini));
    }));

  test("some of the generated rows of values are refused and most are not", () => {
    const refused = writes.filter((row) => fill(row) === undefined).length;
    expect(refused).toBeGreaterThan(50);
    expect(refused).toBeLessThan(200);
  });
});

describe("parseIni()", () => {
  test("skips a byte order mark, which Python's utf-8 doesn't", () => {
    const row = { name: "", text: "\ufeff[s]\na = 1", keepCase: false };
    const [plain] = askPython([{ ...row, encoding: "utf-8" }], []).reads;
    const [signed] = askPython([{ ...row, encoding: "utf-8-sig" }], []).reads;
    expect(plain).toEqual({ error: "MissingSectionHeaderError", line: 1 });
    expect(readAnswer(row)).toEqual(signed as ReadAnswer);
  });

  test("keeps % in a default as it is", () => {
    const ini = parseIni("[s]\na = %(X)s", { defaults: { X: "50% of %(Y)s" } });
    expect(ini.get("s", "a")).toBe("50% of %(Y)s");
    expect(ini.get("s", "x")).toBe("50% of %(Y)s");
  });

  test("uses the last of two defaults that differ only in case", () => {
    const ini = parseIni("[s]\na = %(path)s", { defaults: { Path: "first", PATH: "last", NONE: undefined } });
    expect(ini.get("s", "a")).toBe("last");
    expect(ini.has("s", "none")).toBe(false);
  });

  test("doesn't pollute prototypes", () => {
    parseIni("[__proto__]\npolluted = 1\n[constructor]\nprototype = 1", { defaults: { toString: "x" } });
    expect("polluted" in {}).toBe(false);
  });

  const faults: [name: string, text: string, message: string][] = [
    [
      "no header",
      "# c\na = 1",
      'Cannot read "x.conf" line 2: expected a section header "[name]" first, got "a = 1"',
    ],
    ["no delimiter", "[s]\r\n\r\nkey\r\n", 'Cannot read "x.conf" line 3: expected "name = value", got "key"'],
    ["no name", "[s]\n = 1", 'Cannot read "x.conf" line 2: expected "name = value", got "= 1"'],
    [
      "a section again",
      "[s]\n[t]\n[s]",
      'Cannot read "x.conf" line 3: expected each section once, got [s] again, first on line 1',
    ],
    [
      "an option again",
      "[s]\nAb = 1\naB = 2",
      'Cannot read "x.conf" line 3: expected each option once in a section, got "aB" again, first on line 2',
    ],
    [
      "a long line",
      `[s]\n${"x".repeat(500)}`,
      `Cannot read "x.conf" line 2: expected "name = value", got "${"x".repeat(77)}..."`,
    ],
  ];
  for (const [name, text, message] of faults) {
    test(`reports source, line and what is expected for ${name}`, () => {
      expect(() => parseIni(text, { source: "x.conf" })).toThrow(
        expect.objectContaining({ name: "TabPyError", code: "config", message }),
      );
    });
  }
});

describe("IniFile", () => {
  const text =
    "[DEFAULT]\nd = 0\n\n[TabPy]\nTABPY_PORT = http\nlong = 1\n  2\n\nlast = %(nope)s\nodd = 5%\nloop = %(loop)s\n";
  const ini = parseIni(text, { source: "tabpy.conf", defaults: { HOME: "/root" } });

  test("lineOf() is the line that names the option", () => {
    expect(ini.lineOf("TabPy", "TABPY_PORT")).toBe(5);
    expect(ini.lineOf("TabPy", "long")).toBe(6);
    expect(ini.lineOf("TabPy", "last")).toBe(9);
    expect(ini.lineOf("TabPy", "d")).toBe(2);
    expect(ini.lineOf("TabPy", "home")).toBeUndefined();
    expect(ini.lineOf("TabPy", "nope")).toBeUndefined();
  });

  test("get(), raw() and has() find no missing option", () => {
    for (const [section, option] of [
      ["TabPy", "nope"],
      ["nope", "d"],
      ["constructor", "name"],
    ] as const) {
      expect(ini.get(section, option)).toBeUndefined();
      expect(ini.raw(section, option)).toBeUndefined();
      expect(ini.has(section, option)).toBe(false);
    }
    expect(ini.has("TabPy", "d")).toBe(true);
    expect(ini.options("nope")).toEqual([]);
    expect(ini.ownOptions("nope")).toEqual([]);
  });

  test("sections() and hasSection() leave out DEFAULT", () => {
    expect(ini.sections()).toEqual(["TabPy"]);
    expect(ini.hasSection("TabPy")).toBe(true);
    expect(ini.hasSection("DEFAULT")).toBe(false);
  });

  const faults: [option: string, message: string][] = [
    [
      "last",
      'Cannot read "last" (tabpy.conf line 9): expected an option or a default named "nope" for "%(nope)s"',
    ],
    ["odd", 'Cannot read "odd" (tabpy.conf line 10): expected "%%" or "%(name)s", got "%"'],
    ["LOOP", 'Cannot read "LOOP" (tabpy.conf line 11): expected references at most 10 deep'],
  ];
  for (const [option, message] of faults) {
    test(`get() names option, source and line for ${option}`, () => {
      expect(() => ini.get("TabPy", option)).toThrow(expect.objectContaining({ code: "config", message }));
    });
  }

  test("set() adds and overwrites in place, and remove() removes", () => {
    const state = parseIni("[Meta]\nRevision Number = 1\nOther = x\n", { keepCase: true });
    state.set("Meta", "Revision Number", "2");
    state.set("Docs", "add", escapeValue("100%\n%(x)s"));
    state.addSection("Empty");
    state.addSection("Empty");
    state.remove("Meta", "Other");
    state.remove("nope", "Other");
    const expected = "[Meta]\nRevision Number = 2\n\n[Docs]\nadd = 100%%\n\t%%(x)s\n\n[Empty]\n\n";
    expect(formatIni(state)).toBe(expected);
    expect(state.get("Docs", "add")).toBe("100%\n%(x)s");
    expect(state.lineOf("Meta", "Revision Number")).toBeUndefined();
  });

  test("set() lower-cases the name unless the case is kept", () => {
    const lower = parseIni("");
    lower.set("s", "Name", "1");
    expect(lower.ownOptions("s")).toEqual([["name", "1"]]);
  });

  test("set() leaves everything as it was when it refuses", () => {
    const state = parseIni("");
    expect(() => state.set("s", "a", "%")).toThrow();
    expect(() => state.set("s", "a:b", "")).toThrow();
    expect(formatIni(state)).toBe("");
  });

  const values: [reason: string, value: string, wanted: string][] = [
    ["a bare %", "5%", '"%%" for each "%"'],
    ["a reference that isn't closed", "%(a", '"%%" for each "%"'],
    ["spaces before a line", "a\n  b", 'lines without outer spaces, ended by "\\n"'],
    ["spaces after the value", "a ", 'lines without outer spaces, ended by "\\n"'],
    ["a carriage return", "a\rb", 'lines without outer spaces, ended by "\\n"'],
    ["a comment line", "a\n#b", 'no further line that begins with "#" or ";"'],
    ["an empty last line", "a\n", "no line end at its end"],
    ["half a surrogate pair", "a\ud800", "no lone surrogates"],
  ];
  for (const [reason, value, wanted] of values) {
    test(`set() refuses ${reason}`, () => {
      const message = `Cannot write "a" ${JSON.stringify(value)}: expected ${wanted}`;
      expect(() => parseIni("").set("s", "a", value)).toThrow(
        expect.objectContaining({ code: "config", message }),
      );
    });
  }

  for (const name of [
    "",
    " a",
    "a ",
    "\x1ca",
    "a=b",
    "a:b",
    "[a",
    "#a",
    ";a",
    "a\nb",
    "a\rb",
    '"a"',
    "a\ud800",
  ]) {
    test(`set() refuses the option name ${JSON.stringify(name)}`, () => {
      expect(() => parseIni("").set("s", name, "")).toThrow(
        `Cannot write option ${JSON.stringify(name)}: expected`,
      );
    });
  }

  for (const name of ["", " ", "a]", "a]b", "a\nb", "a\u2029", "a\ud800"]) {
    test(`addSection() refuses the section name ${JSON.stringify(name)}`, () => {
      expect(() => parseIni("").addSection(name)).toThrow(
        `Cannot write section ${JSON.stringify(name)}: expected`,
      );
    });
  }
});

/** What ini.ts makes of a text, in the shape of the oracle's answer. */
function readAnswer(row: OracleRead): ReadAnswer {
  try {
    const ini = parseIni(row.text, { keepCase: row.keepCase, defaults: row.defaults ?? {} });
    return { sections: contentOf(ini), written: formatIni(ini) };
  } catch (error) {
    const { message } = error as Error;
    return { error: kindOf(message), line: Number(/line (\d+)/.exec(message)?.[1]) };
  }
}

function contentOf(ini: IniFile): Content {
  return [defaultSection, ...ini.sections()].map((section) => [
    section,
    ini
      .options(section)
      .map((option) => [option, ini.raw(section, option) ?? "", interpolated(ini, section, option)]),
  ]);
}

function interpolated(ini: IniFile, section: string, option: string): Value {
  try {
    return { value: ini.get(section, option) ?? "" };
  } catch (error) {
    return { error: kindOf((error as Error).message) };
  }
}

/** The exception that Python raises for one of our messages. */
function kindOf(message: string): string {
  const kinds: [wanted: string, kind: string][] = [
    ["a section header", "MissingSectionHeaderError"],
    ['"name = value"', "ParsingError"],
    ["each section once", "DuplicateSectionError"],
    ["each option once", "DuplicateOptionError"],
    ['"%%" or "%(name)s"', "InterpolationSyntaxError"],
    ["an option or a default", "InterpolationMissingOptionError"],
    ["references at most", "InterpolationDepthError"],
  ];
  return kinds.find(([wanted]) => message.includes(`: expected ${wanted}`))?.[1] ?? message;
}

/** The sections and values of a row, or undefined when ini.ts refuses one. */
function fill(row: OracleWrite): IniFile | undefined {
  const ini = parseIni("", { keepCase: row.keepCase });
  try {
    for (const [section, options] of row.sections) {
      ini.addSection(section);
      for (const [name, value] of options) ini.set(section, name, value);
    }
  } catch (error) {
    expect((error as Error).message).toStartWith("Cannot write ");
    return undefined;
  }
  return ini;
}

/** Whether no name contains what ini.ts refuses on purpose although Python could read it back. */
function hasBareNames(row: OracleWrite): boolean {
  const names = row.sections.flatMap(([section, options]) => [section, ...options.map(([name]) => name)]);
  return names.every(
    (name) => name.trim() === name && !/[=#;\]\ufeff]|^\[|^['"].*['"]$/s.test(name) && !name.includes("\x1c"),
  );
}

function askPython(
  reads: OracleRead[],
  writes: OracleWrite[],
): { reads: ReadAnswer[]; writes: WriteAnswer[] } {
  const script = fileURLToPath(new URL("./ini-oracle.py", import.meta.url));
  const python = process.env.TABPY_TEST_PYTHON ?? "python3";
  const { status, stdout, stderr, error } = spawnSync(python, ["-X", "utf8", script], {
    input: JSON.stringify({ reads, writes }),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`Cannot run ${python} ${script}: ${stderr}`, { cause: error });
  return JSON.parse(stdout);
}
