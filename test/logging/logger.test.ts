import { describe, expect, test } from "bun:test";
import { createLogger, formatRecord, type Level } from "../../src/logging/logger.ts";

const time = new Date(2024, 1, 3, 4, 5, 6);
const head = "2024-02-03,04:05:06 [INFO] (app.ts:app:0): ";
const messageOf = (text: string) => formatRecord(time, "INFO", "app.ts", text).slice(head.length);

describe("formatRecord()", () => {
  test("writes TabPy's line", () => {
    expect(formatRecord(time, "INFO", "app.ts", "hello")).toBe(`${head}hello`);
  });

  test("names the module without its last ending", () => {
    expect(formatRecord(time, "WARNING", "a.b.ts", "x")).toContain("[WARNING] (a.b.ts:a.b:0): x");
  });

  const table: Record<string, [message: string, written: string]> = {
    "a carriage return": ["a\rb", "a\\x0db"],
    "a null byte": ["a\0b", "a\\x00b"],
    "the escape of a terminal": ["\x1b[31mred\x07", "\\x1b[31mred\\x07"],
    "DEL and C1": ["\x7f\x85\x9b", "\\x7f\\x85\\x9b"],
    "line separators": ["a\u2028b\u2029c", "a\\x2028b\\x2029c"],
    "vertical tab and form feed": ["a\vb\fc", "a\\x0bb\\x0cc"],
  };
  for (const [what, [message, written]] of Object.entries(table)) {
    test(`escapes ${what}`, () => expect(messageOf(message)).toBe(written));
  }

  test("leaves tabs and text of any alphabet", () => {
    expect(messageOf("a\tb Größe 日本 😀 \\n")).toBe("a\tb Größe 日本 😀 \\n");
  });

  test("indents further lines, so that none looks like a record", () => {
    const forged = formatRecord(time, "ERROR", "fake.ts", "gotcha");
    const lines = formatRecord(time, "INFO", "app.ts", `first\n${forged}\n`).split("\n");
    expect(lines).toEqual([`${head}first`, `    ${forged}`, "    "]);
  });
});

describe("createLogger()", () => {
  const levels: readonly Level[] = ["DEBUG", "INFO", "WARNING", "ERROR"];
  for (const [at, level] of levels.entries()) {
    test(`writes records of ${level} and above`, () => {
      const lines: string[] = [];
      const log = createLogger((line) => lines.push(line), level, "a.ts");
      log.debug("x");
      log.info("x");
      log.warning("x");
      log.error("x");
      const written = lines.map((line) => /\[(\w+)\]/.exec(line)?.[1]);
      expect(written).toEqual(levels.slice(at));
      expect(levels.filter((one) => log.isEnabled(one))).toEqual(levels.slice(at));
    });
  }

  test("CRITICAL writes nothing less", () => {
    const lines: string[] = [];
    createLogger((line) => lines.push(line), "CRITICAL", "a.ts").error("x");
    expect(lines).toEqual([]);
  });

  test("for() names another file and keeps the level", () => {
    const lines: string[] = [];
    const log = createLogger((line) => lines.push(line), "WARNING", "a.ts").for("b.ts");
    log.info("quiet");
    log.warning("loud");
    expect(lines.map((line) => line.replace(/^\S+ /, ""))).toEqual(["[WARNING] (b.ts:b:0): loud"]);
  });
});
