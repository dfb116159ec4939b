// Logging with real files: what it does when files are moved, can't be written or have no room, and its own formatter.
// differential.test.ts compares it with Python's logging.

import { afterAll, describe, expect, spyOn, test } from "bun:test";
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { parseIni } from "../../src/ini.ts";
import { Logging } from "../../src/logging/logging.ts";
import { readLogging } from "../../src/logging/config/sections.ts";
import { mountSmallDisk } from "../support/small-disk.ts";
import { folderUntil } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import {
  configText,
  unsupportedBraceFormats,
  unsupportedDateFormats,
  withFormatter,
  withHandler,
} from "./logging-cases.ts";

const root = folderUntil(afterAll);
let folders = 0;

/** A log configured by a file in which FOLDER is a new folder. */
function open(config: string | undefined, { isDetailed = false, prepare = (_: string) => {} } = {}) {
  const folder = join(root, String(++folders));
  mkdirSync(folder);
  prepare(folder);
  const [stdout, stderr] = ["out", "err"].map((name) => openSync(`${folder}.${name}`, "w"));
  const text = config?.replaceAll("FOLDER", folder);
  const logging = new Logging({
    spec: readLogging(text === undefined ? undefined : parseIni(text), join(folder, "state")),
    isDetailed,
    env: {},
    python: () => ["python3"],
    stdout: stdout ?? 1,
    stderr: stderr ?? 2,
  });
  const read = (name: string) =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : "";
  return {
    folder,
    logging,
    log: logging.logger("a.ts"),
    read,
    readError: () => readFileSync(`${folder}.err`, "utf8"),
    readOut: () => readFileSync(`${folder}.out`, "utf8"),
    [Symbol.asyncDispose]: async () => {
      await logging.stop();
      if (stdout !== undefined) closeSync(stdout);
      if (stderr !== undefined) closeSync(stderr);
    },
  };
}

const file = (rest = "") =>
  configText({
    loggers: { root: "level=DEBUG\nhandlers=h" },
    handlers: { h: `class=FileHandler\nargs=('FOLDER/x.log'${rest},)` },
  });

describe("without logging sections", () => {
  test("the console gets INFO and a file in the state folder DEBUG, in TabPy's format", async () => {
    await using one = open(undefined);
    one.log.debug("details");
    one.log.info("hello");
    await one.logging.stop();
    const line = (level: string, text: string) =>
      String.raw`\d{4}-\d\d-\d\d,\d\d:\d\d:\d\d \[${level}\] \(a\.ts:a:0\): ${text}\n`;
    expect(one.readOut()).toMatch(new RegExp(`^${line("INFO", "hello")}$`));
    expect(one.read("state/tabpy_log.log")).toMatch(
      new RegExp(`^${line("DEBUG", "details")}${line("INFO", "hello")}$`),
    );
  });

  test("the file rotates at 1,000,000 bytes, and five are kept", async () => {
    await using one = open(undefined);
    for (let at = 0; at < 750; at++) one.log.debug("x".repeat(10_000));
    await one.logging.stop();
    const names = readdirSync(join(one.folder, "state")).sort();
    expect(names).toEqual(["tabpy_log.log", ...[1, 2, 3, 4, 5].map((number) => `tabpy_log.log.${number}`)]);
    for (const name of names.slice(1)) {
      const { length } = one.read(`state/${name}`);
      expect(length).toBeGreaterThan(980_000);
      expect(length).toBeLessThan(1_000_000);
    }
  });

  test("a file that can't be written is a warning", async () => {
    await using one = open(undefined, {
      prepare: (folder) => mkdirSync(join(folder, "state/tabpy_log.log"), { recursive: true }),
    });
    one.log.info("goes on");
    await one.logging.stop();
    expect(one.readOut()).toMatch(
      /\[WARNING\] \(logging\.ts:logging:0\): Cannot write the log .*tabpy_log\.log: EISDIR/,
    );
    expect(one.readOut()).toContain("goes on\n");
  });

  test("a section without its lists is a warning", async () => {
    await using one = open("[TabPy]\n[logger_root]\nlevel=DEBUG\n");
    await one.logging.stop();
    expect(one.readOut()).toContain(
      "The section [logger_root] has no effect: [loggers], [handlers] and [formatters] are missing\n",
    );
  });
});

test("a record waits for one timer of 50 ms, and its line is then written", async () => {
  await using one = open(file());
  const timers = spyOn(globalThis, "setTimeout");
  try {
    one.log.info("first");
    one.log.info("second");
    expect(timers.mock.calls.map(([, pauseMs]) => pauseMs)).toEqual([50]);
    expect(one.read("x.log")).toBe("");
    const write = timers.mock.calls[0]?.[0];
    timers.mockClear();
    write?.();
    // Only the event loop turns that the file system needs have passed: the line isn't buffered a second time.
    expect(timers).not.toHaveBeenCalled();
  } finally {
    timers.mockRestore();
  }
  await until("the lines", () => one.read("x.log") === "first\nsecond\n");
});

describe("FileHandler", () => {
  test("continues in a new file after reopen(), and loses nothing in between", async () => {
    await using one = open(file());
    one.log.info("first");
    await until("the first line", () => one.read("x.log") === "first\n");
    renameSync(join(one.folder, "x.log"), join(one.folder, "x.log.old"));
    one.log.info("second");
    await until("the second line", () => one.read("x.log.old") === "first\nsecond\n");
    one.logging.reopen();
    one.log.info("third");
    await until("the third line", () => one.read("x.log") === "third\n");
    expect(one.read("x.log.old")).toBe("first\nsecond\n");
  });

  test("escapes characters that its encoding doesn't have", async () => {
    await using latin = open(file(", 'a', 'latin-1'"));
    latin.log.info("Größe 日本 😀");
    await latin.logging.stop();
    expect(readFileSync(join(latin.folder, "x.log"), "latin1")).toBe("Größe \\u65e5\\u672c \\U0001f600\n");
    await using ascii = open(file(", 'a', 'ascii'"));
    ascii.log.info("Größe");
    await ascii.logging.stop();
    expect(ascii.read("x.log")).toBe("Gr\\xf6\\xdfe\n");
  });

  test("that can't be opened is reported on standard error when there is no other log, and retried", async () => {
    await using one = open(file().replace("x.log", "later/x.log"));
    one.log.info("first");
    await until("the report", () => one.readError().includes("Cannot write the log"));
    expect(one.readError()).toMatch(/^Cannot write the log .*later\/x\.log: ENOENT/);
    mkdirSync(join(one.folder, "later"));
    one.log.info("second");
    await until("the lines", () => one.read("later/x.log") === "first\nsecond\n");
  });

  test("loses lines when the disk is full, reports that elsewhere, and blocks nothing", async () => {
    const config = configText({
      loggers: { root: "level=DEBUG\nhandlers=h,o" },
      handlers: {
        h: "class=FileHandler\nargs=('FOLDER/x.log',)",
        o: "class=FileHandler\nargs=('FOLDER/other.log',)\nlevel=WARNING",
      },
    });
    await using one = open(config, {
      prepare: (folder) => symlinkSync("/dev/full", join(folder, "x.log")),
    });
    const line = "x".repeat(10_000);
    one.log.info(line);
    await until("the report", () => one.read("other.log") !== "");
    for (let at = 0; at < 1500; at++) one.log.info(line);
    expect(one.read("other.log")).toMatch(/^Cannot write the log .*x\.log: .*ENOSPC/);
    rmSync(join(one.folder, "x.log"));
    one.logging.reopen();
    await until("the count", () => /lines were lost here/.test(one.read("x.log").slice(-200)));
    const lines = one.read("x.log").trimEnd().split("\n");
    const [, lost] = /^(\d+) lines were lost here: .*ENOSPC/.exec(lines.pop() ?? "") ?? [];
    expect(lines.length + Number(lost)).toBe(1501);
    expect(new Set(lines)).toEqual(new Set([line]));
    expect(lines.length).toBeGreaterThan(800);
    expect(Number(lost)).toBeGreaterThan(600);
  });

  test("continues where it stopped when its disk has room again, and starts a new file with a complete line", async () => {
    using disk = mountSmallDisk("64k");
    if (disk === undefined) return;
    await using one = open(file().replace("FOLDER", disk.path));
    const filler = join(disk.path, "filler");
    const path = join(disk.path, "x.log");
    const logLines = async (name: string) => {
      for (let at = 0; at < 200; at++) one.log.info(`${name} ${at} ${"x".repeat(100)}`);
      const before = one.readError().length;
      await until(
        "the full disk",
        () => one.readError().length > before || one.readError().includes("ENOSPC"),
      );
    };
    const lines = (name: string) =>
      Array.from({ length: 200 }, (_, at) => `${name} ${at} ${"x".repeat(100)}\n`).join("");
    writeFileSync(filler, Buffer.alloc(50 * 1024));
    await logLines("a");
    const half = readFileSync(path, "utf8");
    expect(half.endsWith("\n")).toBe(false);
    rmSync(filler);
    await until("the rest", () => readFileSync(path, "utf8") === lines("a"));

    writeFileSync(filler, Buffer.alloc(36 * 1024));
    const timers = spyOn(globalThis, "setTimeout");
    for (let at = 0; at < 200; at++) one.log.info(`b ${at} ${"x".repeat(100)}`);
    await until("a full disk", () => readFileSync(path).length + 36 * 1024 === 64 * 1024);
    // The write that fills the disk succeeds in part; the one after it must fail before there is room again.
    await until("the retry", () => timers.mock.calls.some(([, pauseMs]) => pauseMs === 100));
    timers.mockRestore();
    const torn = readFileSync(path, "utf8").slice(lines("a").length);
    renameSync(path, `${path}.old`);
    rmSync(filler);
    one.logging.reopen();
    await until(
      "the new file",
      () => existsSync(path) && readFileSync(path, "utf8").endsWith(lines("b").slice(-110)),
    );
    expect(readFileSync(path, "utf8")).toMatch(/^b \d+ x/);
    const whole = torn.slice(0, torn.lastIndexOf("\n") + 1);
    expect(whole + readFileSync(path, "utf8")).toBe(lines("b"));
  });
});

test("WatchedFileHandler notices that its file was moved", async () => {
  await using one = open(file().replace("FileHandler", "handlers.WatchedFileHandler"));
  one.log.info("first");
  await until("the first line", () => one.read("x.log") === "first\n");
  renameSync(join(one.folder, "x.log"), join(one.folder, "x.log.old"));
  one.log.info("second");
  await until("the second line", () => one.read("x.log") === "second\n");
});

test("RotatingFileHandler that can't rename continues in its file, and reports it", async () => {
  const config = configText({
    loggers: { root: "level=DEBUG\nhandlers=h,o" },
    handlers: {
      h: "class=handlers.RotatingFileHandler\nargs=('FOLDER/x.log', 'a', 100, 1)",
      o: "class=FileHandler\nargs=('FOLDER/other.log',)\nlevel=WARNING",
    },
  });
  await using one = open(config, {
    prepare: (folder) => {
      mkdirSync(join(folder, "x.log.1"));
      appendFileSync(join(folder, "x.log.1/full"), "");
    },
  });
  for (let at = 0; at < 20; at++) one.log.info(`line ${at} ${"x".repeat(20)}`);
  await one.logging.stop();
  expect(one.read("x.log").split("\n").length).toBe(21);
  expect(one.read("other.log")).toMatch(/^Cannot rotate the log .*x\.log: .*\n$/);
});

test("handlers of one file write in the order of the records", async () => {
  const config = configText({
    loggers: { root: "level=DEBUG\nhandlers=h", t: "qualname=tabpy.b\nhandlers=i\npropagate=0" },
    handlers: {
      h: "class=FileHandler\nargs=('FOLDER/x.log',)",
      i: "class=FileHandler\nkwargs={'filename': 'FOLDER/x.log', 'mode': 'a'}",
    },
  });
  await using one = open(config);
  for (let at = 0; at < 100; at++) one.log.for(at % 2 === 0 ? "a.ts" : "b.ts").info(String(at));
  await one.logging.stop();
  expect(one.read("x.log")).toBe(Array.from({ length: 100 }, (_, at) => `${at}\n`).join(""));
});

describe("tabpy.JsonFormatter", () => {
  test("writes one object per line, and nothing in it starts another line", async () => {
    await using one = open(withFormatter("class=tabpy.JsonFormatter"), { isDetailed: true });
    one.log.inCall("id-1").warning('a "quoted"\nsecond\u2028third\u0085\x1b[31m\ud800');
    one.log.named("tabpy.audit").info("plain");
    await one.logging.stop();
    const lines = one.readOut().trimEnd().split("\n");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is searched for
    expect(one.readOut()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$/),
        level: "WARNING",
        logger: "tabpy.a",
        file: "a.ts",
        message: 'a "quoted"\nsecond\u2028third\u0085\x1b[31m\ud800',
        call_id: "id-1",
      },
      { time: expect.any(String), level: "INFO", logger: "tabpy.audit", file: "a.ts", message: "plain" },
    ]);
  });
});

describe("readLogging() refuses at start what Python fails at with every line", () => {
  const table: [name: string, config: string, message: string][] = [
    [
      "an attribute that records don't have",
      withFormatter("format=%(user)s %(message)s"),
      `Cannot use format "%(user)s %(message)s" (<string> section [formatter_f]): expected attributes of Python's LogRecord, got "user"`,
    ],
    [
      "a conversion that doesn't fit",
      withFormatter("format=%(message)d"),
      'Cannot use format "%(message)d" (<string> section [formatter_f]): expected a conversion that fits message, got "%d"',
    ],
    [
      "a bare percent sign",
      withFormatter("format=%(message)s 100%"),
      'Cannot use format "%(message)s 100%" (<string> section [formatter_f]): expected "%(name)s", or "%%" for a percent sign, got "%"',
    ],
    [
      "a specification that doesn't fit",
      withFormatter("format={message:d}\nstyle={"),
      'Cannot use format "{message:d}" (<string> section [formatter_f]): expected a specification that fits message, got ":d"',
    ],
    [
      "a handler that isn't offered",
      withHandler("class=handlers.SMTPHandler\nargs=('localhost', 'a', ['b'], 'c')"),
      'Cannot use class "handlers.SMTPHandler" (<string> section [handler_h]): expected StreamHandler, FileHandler, NullHandler, handlers.WatchedFileHandler, handlers.RotatingFileHandler, handlers.TimedRotatingFileHandler, handlers.SysLogHandler',
    ],
    [
      "an expression",
      withHandler("class=FileHandler\nargs=(os.path.join('a', 'b'),)"),
      `Cannot use args "(os.path.join('a', 'b'),)" (<string> section [handler_h]): expected "," or ")" at "('a', 'b'),)"`,
    ],
    [
      "a time of day",
      withHandler(
        "class=handlers.TimedRotatingFileHandler\nargs=('x', 'midnight', 1, 0, None, False, False, 5)",
      ),
      'Cannot use the argument "atTime" (<string> section [handler_h]): expected None: a time of day is not supported',
    ],
  ];
  for (const [name, config, message] of table) {
    test(name, () => {
      expect(() => readLogging(parseIni(config), "/state")).toThrow(
        expect.objectContaining({ code: "config", message }),
      );
    });
  }

  for (const format of unsupportedBraceFormats) {
    test(`the part of str.format in ${format}, and names it`, () => {
      const part = /[!:][^}]*/.exec(format)?.[0];
      const start = `Cannot use format "${format}" (<string> section [formatter_f]): expected `;
      const config = withFormatter(`format=${format}\nstyle={`);
      const read = () => readLogging(parseIni(config), "/state");
      expect(read).toThrow(start);
      expect(read).toThrow(`(others are not supported), got "${part}"`);
    });
  }

  for (const datefmt of unsupportedDateFormats) {
    test(`the flag or width of strftime in ${datefmt}, and names it`, () => {
      const config = withFormatter(`format=%(asctime)s\ndatefmt=${datefmt}`);
      expect(() => readLogging(parseIni(config), "/state")).toThrow(
        `Cannot use datefmt "${datefmt}" (<string> section [formatter_f]): ` +
          `expected directives of strftime without flags and widths, got "${datefmt}"`,
      );
    });
  }

  test("an option of a section is not taken from the environment", () => {
    const env = { LEVEL: "LOUD", STYLE: "?", CLASS: "x", PROPAGATE: "x", FORMATTER: "x" };
    const config = withHandler("class=StreamHandler\nargs=(sys.stdout,)").replace("style", "");
    expect(() => readLogging(parseIni(config, { defaults: env }), "/state")).not.toThrow();
  });
});
