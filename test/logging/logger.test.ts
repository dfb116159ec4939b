import { describe, expect, test } from "bun:test";
import { type Level, levels, parseLevel } from "../../src/logging/levels.ts";
import type { LogRecord } from "../../src/logging/format/record.ts";
import { safeText } from "../../src/logging/format/safe-text.ts";
import {
  createRoutes,
  createTreeLogger,
  deliver,
  type Emit,
  type LoggerNode,
} from "../../src/logging/logger.ts";
import { createLogger } from "../support/logger.ts";

const names = Object.keys(levels) as Level[];

describe("safeText()", () => {
  const table: Record<string, [message: string, written: string]> = {
    "a carriage return": ["a\rb", "a\\x0db"],
    "a null byte": ["a\0b", "a\\x00b"],
    "the escape of a terminal": ["\x1b[31mred\x07", "\\x1b[31mred\\x07"],
    "DEL and C1": ["\x7f\x85\x9b", "\\x7f\\x85\\x9b"],
    "line separators": ["a\u2028b\u2029c", "a\\u2028b\\u2029c"],
    "vertical tab and form feed": ["a\vb\fc", "a\\x0bb\\x0cc"],
    "overrides of the direction": ["a\u202eb\u2066c", "a\\u202eb\\u2066c"],
    "half a surrogate pair": ["a\ud800b\udc00", "a\\ud800b\\udc00"],
  };
  for (const [what, [message, written]] of Object.entries(table)) {
    test(`escapes ${what}`, () => expect(safeText(message)).toBe(written));
  }

  test("leaves tabs and text of any alphabet", () => {
    expect(safeText("a\tb Größe 日本 😀 \\n")).toBe("a\tb Größe 日本 😀 \\n");
  });

  test("indents further lines, so that none looks like a record", () => {
    expect(safeText("first\n2026-01-01 [INFO]\n")).toBe("first\n    2026-01-01 [INFO]\n    ");
  });
});

describe("Logger", () => {
  const written = (level: Level) => {
    const lines: string[] = [];
    return { lines, log: createLogger((line) => lines.push(line), level, "a.ts") };
  };

  for (const [at, level] of names.entries()) {
    test(`writes records of ${level} and above`, () => {
      const { lines, log } = written(level);
      log.debug("x");
      log.info("x");
      log.warning("x");
      log.error("x");
      log.critical("x");
      expect(lines.map((line) => /\[(\w+)\]/.exec(line)?.[1] ?? "")).toEqual(names.slice(at));
      expect(names.filter((one) => log.isEnabled(one))).toEqual(names.slice(at));
    });
  }

  test("writes TabPy's line", () => {
    const { lines, log } = written("INFO");
    log.info("hello");
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\d,\d\d:\d\d:\d\d \[INFO\] \(a\.ts:a:0\): hello$/);
  });

  test("names the module without its last extension", () => {
    const { lines, log } = written("INFO");
    log.for("a.b.ts").info("x");
    expect(lines[0]).toContain("(a.b.ts:a.b:0): x");
  });

  test("for() names another file and keeps the level", () => {
    const { lines, log } = written("WARNING");
    log.for("b.ts").info("quiet");
    log.for("b.ts").warning("loud");
    expect(lines.map((line) => line.replace(/^\S+ /, ""))).toEqual(["[WARNING] (b.ts:b:0): loud"]);
  });

  test("inCall() shows the request when isAlwaysShown", () => {
    const { lines, log } = written("INFO");
    log.inCall("the-call", true).info("x");
    log.inCall("the-call").info("y");
    expect(lines.map((line) => line.slice(line.indexOf("): ") + 3))).toEqual([
      "x, <<call ID: the-call>>",
      "y",
    ]);
  });
});

describe("createTreeLogger()", () => {
  const tree = (isDetailed: boolean) => {
    const records: LogRecord[] = [];
    const emits = [(record: LogRecord) => records.push(record)];
    const log = createTreeLogger(
      {
        routesOf: () => ({ INFO: emits }),
        isDetailed,
        now: () => 5,
        take: (record) => deliver(record, { pid: 1, startedMs: 0 }),
      },
      "app.ts",
    );
    return { log, records };
  };

  test("names a logger by its file until it is named", () => {
    const { log, records } = tree(false);
    log.info("a");
    log.for("pool.ts").info("b");
    log.named("tabpy.audit").info("c");
    log.named("tabpy.audit").for("users.ts").info("d");
    expect(records.map((record) => [record.name, record.file])).toEqual([
      ["tabpy.app", "app.ts"],
      ["tabpy.pool", "pool.ts"],
      ["tabpy.audit", "app.ts"],
      ["tabpy.audit", "users.ts"],
    ]);
  });

  test("shows the request at the end of every line with details on, whichever file logs it", () => {
    const { log, records } = tree(true);
    const call = log.inCall("id-1");
    call.info("a");
    call.for("pool.ts").info("b");
    call.named("tabpy.audit").info("several\nlines");
    expect(records.map((record) => record.message)).toEqual([
      "a, <<call ID: id-1>>",
      "b, <<call ID: id-1>>",
      "several\n    lines, <<call ID: id-1>>",
    ]);
    expect(records.map((record) => record.callId)).toEqual(["id-1", "id-1", "id-1"]);
  });

  test("makes no record for a level without handlers", () => {
    const { log, records } = tree(false);
    log.debug("x");
    log.critical("x");
    expect(records).toEqual([]);
  });
});

describe("createRoutes()", () => {
  const takers = (nodes: LoggerNode[], name: string, lastResort: Emit = () => {}) => {
    const routes = createRoutes(nodes, lastResort)(name);
    return Object.fromEntries(names.map((level) => [level, routes[level]?.length ?? 0]));
  };
  const handler = (levelNumber: number) => ({ levelNumber, emit: () => {} });
  const node = (name: string, levelNumber: number, handlers: number[], isPropagating = true): LoggerNode => ({
    name,
    levelNumber,
    handlers: handlers.map(handler),
    isPropagating,
  });

  test("collects handlers on the way up, each with its own level", () => {
    const nodes = [node("", 30, [0], false), node("tabpy", 10, [20])];
    expect(takers(nodes, "tabpy.app")).toEqual({ DEBUG: 1, INFO: 2, WARNING: 2, ERROR: 2, CRITICAL: 2 });
    expect(takers(nodes, "other")).toEqual({ DEBUG: 0, INFO: 0, WARNING: 1, ERROR: 1, CRITICAL: 1 });
  });

  test("stops at a logger that doesn't propagate", () => {
    const nodes = [node("", 10, [0], false), node("tabpy.audit", 0, [0, 0], false)];
    expect(takers(nodes, "tabpy.audit").INFO).toBe(2);
    expect(takers(nodes, "tabpy.audit.users").INFO).toBe(2);
    expect(takers(nodes, "tabpy.auditor").INFO).toBe(1);
  });

  test("gives records without any handler to the last resort, from WARNING on", () => {
    const nodes = [node("", 10, [], false)];
    expect(takers(nodes, "tabpy")).toEqual({ DEBUG: 0, INFO: 0, WARNING: 1, ERROR: 1, CRITICAL: 1 });
  });
});

describe("parseLevel()", () => {
  const table: [text: string, number: number | undefined][] = [
    ["INFO", 20],
    ["warning", 30],
    ["WARN", 30],
    ["FATAL", 50],
    ["NOTSET", 0],
    [" DEBUG ", 10],
    ["15", 15],
    ["0", 0],
    ["LOUD", undefined],
    ["toString", undefined],
    ["-1", undefined],
    ["", undefined],
  ];
  for (const [text, number] of table) {
    test(`reads ${JSON.stringify(text)}`, () => expect(parseLevel(text)).toBe(number));
  }
});
