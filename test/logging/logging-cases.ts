// Logging configurations and records for differential.test.ts: hand-written ones for each rule, generated ones that
// mix styles, levels, hierarchies and handlers.

import { tabpySections } from "../support/logging-sections.ts";
import { createRandom, pick as pickFrom } from "../support/random.ts";

export interface CaseRecord {
  readonly name: string;
  readonly level: string;
  readonly file: string;
  readonly message: string;
  readonly createdMs: number;
}

export interface CaseFile {
  readonly name: string;
  readonly text: string;
  /** Seconds since 1970. */
  readonly mtime: number;
}

export interface Case {
  readonly name: string;
  readonly config: string;
  readonly records: readonly CaseRecord[];
  readonly files: readonly CaseFile[];
  readonly zone: string;
}

const levels = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
const names = ["tabpy.app", "tabpy.audit", "tabpy", "tabpy.pool.worker", "other"];
const files = ["app.ts", "pool.ts", "service-info.ts", "a.b.ts"];
const messages = [
  "Web service listening on port 6311",
  "",
  "100% of {braces} and $dollars",
  "Größe 日本 😀",
  "function to evaluate=def _user_script(tabpy, _arg1):\n return _arg1\n",
  "a 'quoted' \"text\" with \\ and\ttab",
];
/** 2020-01-20 17:02:12.345 UTC. */
export const blogTime = Date.UTC(2020, 0, 20, 17, 2, 12, 345);

/** `count` records of all levels and loggers, `stepMs` apart. */
export function createRecords(count: number, stepMs: number, startMs = blogTime): CaseRecord[] {
  const pick = <T>(list: readonly T[], at: number) => list[at % list.length] as T;
  return Array.from({ length: count }, (_, at) => ({
    name: pick(names, at),
    level: pick(levels, at * 3 + Math.floor(at / 5)),
    file: pick(files, at * 7),
    message: `${pick(messages, at)} ${at}`,
    createdMs: startMs + at * stepMs,
  }));
}

export interface Sections {
  readonly handlers?: Readonly<Record<string, string>>;
  readonly formatters?: Readonly<Record<string, string>>;
  readonly loggers?: Readonly<Record<string, string>>;
}

/** A config file of sections; texts are the lines below their headers. */
export function configText({ handlers = {}, formatters = {}, loggers = {} }: Sections): string {
  const list = (kind: string, rows: Readonly<Record<string, string>>) =>
    `[${kind}s]\nkeys=${Object.keys(rows).join(",")}\n${Object.entries(rows)
      .map(([key, text]) => `\n[${kind}_${key}]\n${text}\n`)
      .join("")}\n`;
  return list("logger", loggers) + list("handler", handlers) + list("formatter", formatters);
}

const out = "class=StreamHandler\nargs=(sys.stdout,)\nformatter=f\n";
const tabpyFormat =
  "format=%(asctime)s [%(levelname)s] (%(filename)s:%(module)s:%(lineno)d): %(message)s\ndatefmt=%Y-%m-%d,%H:%M:%S";

/** One handler on standard output with one formatter. */
export function withFormatter(formatter: string): string {
  return configText({
    loggers: { root: "level=DEBUG\nhandlers=h" },
    handlers: { h: out },
    formatters: { f: formatter },
  });
}

/** One handler with TabPy's formatter. */
export function withHandler(handler: string, level = "DEBUG"): string {
  return configText({
    loggers: { root: `level=${level}\nhandlers=h` },
    handlers: { h: `${handler}\nformatter=f` },
    formatters: { f: tabpyFormat },
  });
}

const percentFormats = [
  "%(levelname)-8s|%(levelname)8s|%(levelname).3s|%(levelname)-6.2s|",
  "%(name)s %(name)20s %(name)-20s| %(name).5s",
  "%(levelno)d %(levelno)s %(levelno)5d %(levelno)-5d| %(levelno)05d %(levelno)+d %(levelno)x %(levelno)#o",
  "%(lineno)d %(lineno)04d %(lineno)s %(lineno)i %(lineno)u",
  "%(created)f %(created).3f %(created)d %(created)s %(created)e %(created)g %(created)r",
  "%(msecs)d %(msecs)03d %(msecs).1f %(msecs)s %(msecs)5.0f %(msecs)G",
  "%(relativeCreated)d %(relativeCreated)8.2f %(relativeCreated)s",
  "%(process)d %(process)x %(process)X %(process)#x %(process)08d %(process)-8d| % (process)s".replace(
    "% (",
    "%(",
  ),
  "%(thread)d %(threadName)s %(processName)s %(thread)o",
  "%(pathname)s %(filename)s %(module)s %(funcName)s",
  "%(message)r %(message)a",
  "%(message)40s|%(message)-40s|",
  "%(exc_info)s %(exc_text)s %(stack_info)s %(args)s %(taskName)s %(msg)s",
  "%%(asctime)s %% %(message)s 100%%",
  "%(asctime)s",
  "%(asctime)30s|%(asctime)-30s|%(asctime).10s",
  "%(levelno)c%(levelno)c %(message)s",
  "%(levelno)+5d|%(levelno) d|%(levelno) 05d|%(levelno).4d|%(levelno)8.4d",
  "%(created)+.2f %(created)-20.1f| %(created)020.1f %(created)E %(created).0f %(created)#.0f",
  "%(levelno)ld %(levelno)hd %(message)s",
];

const braceFormats = [
  "{asctime} [{levelname}] ({filename}:{module}:{lineno}): {message}",
  "{levelname:<8}|{levelname:>8}|{levelname:^8}|{levelname:*^10}|{levelname:.3}|{levelname:8.2}|{levelname:8s}|",
  "{levelno:d} {levelno:5} {levelno:<5}| {levelno:05} {levelno:^6d}|{levelno:>6} {levelno:*<6}|{levelno:.1f}",
  "{created:.3f} {created:20.1f} {created} {created:020.1f} {created:f} {created:<30}|{created:.0f}",
  "{process:08} {process:^10} {process:010d} {process:f}",
  "{msecs:03.0f} {msecs} {msecs:6.1f}| {relativeCreated:10.3f} {relativeCreated:_>12}",
  "{message!r} {message!s:>60} {name!r:20} {levelno!r:>5} {name!s:.5s}",
  "{{}} {{asctime}} {message} {{{levelname}}}",
  "{exc_info} {args} {stack_info!s:>8} {taskName}",
  "{levelno:>06} {levelno:x>6d} {lineno:03d} {thread:d}",
  "{asctime:>30} {asctime:.10}",
];

/** What str.format accepts and this server refuses. */
export const unsupportedBraceFormats = [
  ...[
    "{levelno:+}",
    "{levelno: d}",
    "{levelno:x}",
    "{levelno:#x}",
    "{levelno:b}",
    "{levelno:c}",
    "{levelno:n}",
  ],
  ...["{levelno:=6}", "{created:,.2f}", "{created:_}", "{created:e}", "{created:g}", "{created:.3}"],
  ...["{created:.1%}", "{message!a}"],
];

const dollarFormats = [
  "$asctime [$levelname] $message",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Python's string.Template has the same form
  "${asctime} [${levelname}] (${filename}:${module}:${lineno}): ${message}",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the same
  "$$ $levelno$$ ${levelno}x $created $msecs $relativeCreated $process",
  "$name-$levelname.$message $exc_info $args $threadName",
];

const dateFormats = [
  "%Y-%m-%d,%H:%M:%S",
  "%d/%b/%Y:%H:%M:%S %z",
  "%a %A %b %B %c",
  "%C %D %e %F %g %G %h %I %j %k %l %M %n %p %P",
  "%r %R %s %S %t %T %u %U %V %w %W %x %X %y %Y %Z %%",
  "%-d %-m %_d %_H %-I %_j %-j %0e %-y %_M|%-S",
  "%f %Q %E %O %Ey %Od %EY %i",
  "%H:%M:%S.%%03d",
  "plain text",
  "%-S%_S%0e%_m%-j%0d%-U%_W%-V%_g",
  "%Z|%z|%P|%v %o %L %N %+|100%",
];

/** What glibc's strftime accepts and this server refuses. */
export const unsupportedDateFormats = ["%^a", "%#Z", "%05d", "%3S", "%10Y", "%^10b", "%_12T", "%-Z", "%-F"];

const zones = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "America/Sao_Paulo",
];

function formatterCases(): Case[] {
  const records = createRecords(30, 7_654_321);
  const one = (name: string, config: string, zone = "UTC"): Case => ({
    name,
    config,
    records,
    files: [],
    zone,
  });
  return [
    ...percentFormats.map((format) => one(`% style ${format}`, withFormatter(`format=${format}`))),
    ...braceFormats.map((format) => one(`{ style ${format}`, withFormatter(`format=${format}\nstyle={`))),
    ...dollarFormats.map((format) => one(`$ style ${format}`, withFormatter(`format=${format}\nstyle=$`))),
    ...dateFormats.flatMap((datefmt, at) =>
      [zones[at % zones.length], zones[(at + 3) % zones.length]].map((zone = "UTC") =>
        one(`datefmt ${datefmt} in ${zone}`, withFormatter(`format=%(asctime)s|\ndatefmt=${datefmt}`), zone),
      ),
    ),
    ...zones.map((zone) => one(`asctime in ${zone}`, withFormatter("format=%(asctime)s %(message)s"), zone)),
    one("no format", withFormatter("datefmt=%H")),
    one("an empty format", withFormatter("format=\nstyle={")),
    one("a format of several lines", withFormatter("format=%(asctime)s\n  %(levelname)s\n  %(message)s")),
    one("an explicit class", withFormatter("class=logging.Formatter\nformat=%(message)s")),
    one("spaces around a format", withFormatter("format =   [%(levelname)s]   %(message)s   ")),
  ];
}

function handlerCases(): Case[] {
  const one = (
    name: string,
    handler: string,
    { records = createRecords(40, 1000), files: before = [], zone = "UTC" }: Partial<Case> = {},
  ): Case => ({ name, config: withHandler(handler), records, files: before, zone });
  const old = [{ name: "x.log", text: "from before\n", mtime: blogTime / 1000 - 100 }];
  const sizes = [
    [500, 3],
    [1000, 1],
    [300, 20],
    [2000, 0],
    [0, 5],
    [100_000, 5],
    [777, 2],
  ];
  const timed = (when: string, extra: string, stepMs: number, zone = "UTC", mtime = blogTime / 1000): Case =>
    one(
      `TimedRotatingFileHandler ${when}${extra} in ${zone}`,
      `class=handlers.TimedRotatingFileHandler\nargs=('x.log', '${when}'${extra})`,
      {
        records: createRecords(40, stepMs),
        files: [{ name: "x.log", text: "from before\n", mtime: Math.floor(mtime) }],
        zone,
      },
    );
  return [
    one("StreamHandler to standard error by default", "class=StreamHandler\nargs=()"),
    one("StreamHandler without args", "class=StreamHandler"),
    one(
      "StreamHandler by its full name and kwargs",
      "class=logging.StreamHandler\nkwargs={'stream': sys.stdout}",
    ),
    one("NullHandler", "class=NullHandler\nargs=()"),
    one("NullHandler by its full name", "class=logging.NullHandler"),
    one("FileHandler", "class=FileHandler\nargs=('x.log',)"),
    one("FileHandler that appends", "class=FileHandler\nargs=('x.log', 'a')", { files: old }),
    one("FileHandler that truncates", 'class=FileHandler\nargs=("x.log", "w")', { files: old }),
    one("FileHandler with every argument", "class=FileHandler\nargs=('x.log', 'w', 'utf-8', True)"),
    one("FileHandler with delay and no record", "class=FileHandler\nargs=('x.log', 'a', None, True)", {
      records: [],
    }),
    one("FileHandler without records", "class=FileHandler\nargs=('x.log',)", { records: [] }),
    one(
      "FileHandler with kwargs",
      "class=FileHandler\nkwargs={'filename': 'x.log', 'encoding': 'utf8', 'mode': 'w'}",
      {
        files: old,
      },
    ),
    one("FileHandler in Latin-1", "class=FileHandler\nargs=('x.log', 'a', 'latin-1')", {
      records: createRecords(30, 1000).filter((record) => !/[^\0-\xff]/.test(record.message)),
    }),
    one("FileHandler with a name of escapes", "class=FileHandler\nargs=('x\\x2elog' '.1' r'\\a',)"),
    one("FileHandler with arguments in a list", "class=FileHandler\nargs=['x.log', 'w']", { files: old }),
    one("WatchedFileHandler", "class=handlers.WatchedFileHandler\nargs=('x.log',)", { files: old }),
    ...sizes.map(([bytes, count]) =>
      one(
        `RotatingFileHandler of ${bytes} bytes, ${count} kept`,
        `class=handlers.RotatingFileHandler\nargs=('x.log', 'a', ${bytes}, ${count})`,
        {
          records: createRecords(60, 1000),
        },
      ),
    ),
    one(
      "RotatingFileHandler with files of before",
      "class=handlers.RotatingFileHandler\nargs=('x.log', 'w', 400, 3)",
      {
        files: [
          ...old,
          { ...old[0], name: "x.log.1", text: "older\n" } as CaseFile,
          { ...old[0], name: "x.log.3", text: "oldest\n" } as CaseFile,
        ],
      },
    ),
    one(
      "RotatingFileHandler by its full name and kwargs",
      "class=logging.handlers.RotatingFileHandler\nargs=('x.log',)\nkwargs={'maxBytes': 500, 'backupCount': 0x2}",
    ),
    one(
      "RotatingFileHandler that truncates, without a size",
      "class=handlers.RotatingFileHandler\nargs=('x.log', 'w')",
      { files: old },
    ),
    one(
      "RotatingFileHandler with delay",
      "class=handlers.RotatingFileHandler\nargs=('x.log', 'a', 600, 2, 'utf-8', True)",
    ),
    one(
      "TabPy's RotatingFileHandler",
      "class=handlers.RotatingFileHandler\nargs=('tabpy_log.log', 'a', 1000000, 5)",
    ),
    timed("S", "", 700),
    timed("s", ", 10, 3", 3000),
    timed("M", ", 1, 2", 25_000),
    timed("H", "", 1_000_000),
    timed("h", ", 6, 4", 5_000_000),
    timed("D", ", 1, 5", 40_000_000),
    timed("midnight", "", 30_000_000),
    timed("midnight", "", 30_000_000, "America/New_York"),
    timed("midnight", ", 1, 3, None, False, True", 30_000_000, "Asia/Kolkata"),
    timed("MIDNIGHT", "", 40_000_000, "Europe/Berlin", blogTime / 1000 - 90_000),
    timed("W0", ", 1, 2", 200_000_000),
    timed("W6", "", 100_000_000, "Europe/Berlin"),
    timed("w3", ", 1, 0, None, False, True", 100_000_000, "Asia/Kolkata"),
    timed("S", ", 1, 0, None, False, True", 900, "America/New_York"),
    timed("H", ", 1, 2", 2_000_000, "Asia/Kolkata"),
  ];
}

function hierarchyCases(): Case[] {
  const records = createRecords(50, 1000);
  const handlers = {
    a: `${out}level=WARNING`,
    b: out.replace("stdout", "stderr"),
    c: "class=FileHandler\nargs=('c.log',)\nlevel=ERROR",
  };
  const formatters = { f: "format=%(levelname)s:%(name)s:%(message)s" };
  const one = (name: string, loggers: Record<string, string>, some: Sections = {}): Case => ({
    name,
    config: configText({ handlers, formatters, ...some, loggers }),
    records,
    files: [],
    zone: "UTC",
  });
  return [
    one("several handlers of the root", { root: "level=DEBUG\nhandlers=a,b,c" }),
    one("a handler named twice", { root: "level=INFO\nhandlers=b, b" }),
    one("no handler", { root: "level=DEBUG\nhandlers=" }),
    one("a root without level", { root: "handlers=b" }),
    one("a root of NOTSET", { root: "level=NOTSET\nhandlers=b" }),
    one("a root of WARN", { root: "level=WARN\nhandlers=b" }),
    one("a root of FATAL", { root: "level=FATAL\nhandlers=b" }),
    one("a logger that propagates", {
      root: "level=ERROR\nhandlers=b",
      t: "qualname=tabpy\nlevel=DEBUG\nhandlers=a",
    }),
    one("a logger that doesn't", {
      root: "level=DEBUG\nhandlers=b",
      t: "qualname=tabpy\nhandlers=a\npropagate=0",
    }),
    one("propagate above 1", {
      root: "level=DEBUG\nhandlers=b",
      t: "qualname=tabpy\nhandlers=a\npropagate=7",
    }),
    one("propagete, which is ignored", {
      root: "level=DEBUG\nhandlers=b",
      t: "qualname=tabpy\nhandlers=a\npropagete=0",
    }),
    one("a logger without handlers", {
      root: "level=WARNING\nhandlers=b",
      t: "qualname=tabpy\nlevel=DEBUG\nhandlers=",
    }),
    one("a quiet logger that keeps its records", {
      root: "level=DEBUG\nhandlers=b",
      t: "qualname=tabpy\nlevel=DEBUG\nhandlers=\npropagate=0",
    }),
    one("three levels", {
      root: "level=WARNING\nhandlers=b",
      t: "qualname=tabpy\nlevel=INFO\nhandlers=a",
      p: "qualname=tabpy.pool.worker\nlevel=DEBUG\nhandlers=c",
    }),
    one("a logger for audit", {
      root: "level=DEBUG\nhandlers=b",
      audit: "qualname=tabpy.audit\nlevel=INFO\nhandlers=c,a\npropagate=0",
    }),
    one("spaces in lists", { root: "level=DEBUG\nhandlers =  a ,  b " }),
    one(
      "a logger that isn't listed",
      { root: "level=INFO\nhandlers=b" },
      { handlers: { ...handlers, d: `${out}\n[logger_x]\nqualname=tabpy\nhandlers=` } },
    ),
    one(
      "a handler that isn't used",
      { root: "level=INFO\nhandlers=b" },
      { handlers: { ...handlers, d: "class=FileHandler\nargs=('d.log',)" } },
    ),
    one(
      "two handlers of one stream",
      { root: "level=DEBUG\nhandlers=a,e" },
      { handlers: { ...handlers, e: `${out}level=ERROR` } },
    ),
    one(
      "a formatter that isn't there for a handler without one",
      { root: "level=INFO\nhandlers=g" },
      { handlers: { ...handlers, g: "class=StreamHandler\nargs=(sys.stdout,)" } },
    ),
    one(
      "an empty formatter",
      { root: "level=INFO\nhandlers=g" },
      { handlers: { ...handlers, g: "class=StreamHandler\nargs=(sys.stdout,)\nformatter=" } },
    ),
    one(
      "a value that refers to another",
      { root: "level=INFO\nhandlers=g" },
      { handlers: { ...handlers, g: "where=g.log\nclass=FileHandler\nargs=('%(where)s',)\nformatter=f" } },
    ),
  ];
}

/** Texts in use: TabPy's default.conf, that of a well-known blog, and the form in the contract. */
function knownCases(): Case[] {
  const head = "[TabPy]\n# TABPY_QUERY_OBJECT_PATH = /tmp/query_objects\nTABPY_PORT = 6311\n\n";
  return levels.map((level) => ({
    name: `TabPy's own sections at ${level}`,
    config: head + tabpySections(level, "tabpy_log.log"),
    records: createRecords(50, 250),
    files: [],
    zone: "UTC",
  }));
}

/** Random mixtures, the same ones each time. */
function generatedCases(count: number): Case[] {
  const random = createRandom(42);
  const pick = <T>(list: readonly T[]) => pickFrom(random, list);
  const handlerKinds = [
    "class=StreamHandler\nargs=(sys.stdout,)",
    "class=StreamHandler\nargs=(sys.stderr,)",
    "class=FileHandler\nargs=('NAME.log',)",
    "class=handlers.RotatingFileHandler\nargs=('NAME.log', 'a', 900, 2)",
    "class=handlers.RotatingFileHandler\nargs=('NAME.log', 'a', 2500, 4, 'utf-8')",
    "class=handlers.TimedRotatingFileHandler\nargs=('NAME.log', 'M', 1, 3)\nkwargs={'delay': True}",
    "class=handlers.WatchedFileHandler\nargs=('NAME.log',)",
    "class=logging.NullHandler",
  ];
  return Array.from({ length: count }, (_, at) => {
    const formatters: Record<string, string> = {};
    for (const key of ["f", "g"]) {
      const [style, formats] = pick([
        ["%", percentFormats],
        ["{", braceFormats],
        ["$", dollarFormats],
      ] as const);
      const datefmt = random(2) === 0 ? `\ndatefmt=${pick(dateFormats)}` : "";
      formatters[key] = `format=${pick(formats)}${datefmt}\nstyle=${style}`;
    }
    const handlers: Record<string, string> = {};
    for (const key of ["a", "b", "c"]) {
      const level = random(3) === 0 ? "" : `\nlevel=${pick(levels)}`;
      const formatter = random(5) === 0 ? "" : `\nformatter=${pick(["f", "g"])}`;
      handlers[key] = pick(handlerKinds).replace("NAME", key) + level + formatter;
    }
    const loggers: Record<string, string> = {
      root: `level=${pick(levels)}\nhandlers=${pick(["a", "a,b", "b,c", ""])}`,
    };
    for (const name of ["tabpy", "tabpy.audit", "tabpy.pool"]) {
      if (random(2) === 0) continue;
      const level = random(2) === 0 ? "" : `level=${pick(levels)}\n`;
      loggers[name.replace(".", "_")] =
        `${level}qualname=${name}\nhandlers=${pick(["", "a", "b", "c", "a,c"])}\npropagate=${random(2)}`;
    }
    return {
      name: `generated ${at}`,
      config: configText({ loggers, handlers, formatters }),
      records: createRecords(40 + random(40), pick([1, 1000, 25_000])),
      files: [],
      zone: pick(zones),
    };
  });
}

export const cases: readonly Case[] = [
  ...knownCases(),
  ...formatterCases(),
  ...handlerCases(),
  ...hierarchyCases(),
  ...generatedCases(60),
];

/** What Python refuses when it reads the file. */
export const refused: readonly [name: string, config: string][] = [
  ["an unknown level", withHandler("class=StreamHandler\nargs=(sys.stdout,)\nlevel=LOUD")],
  ["an unknown root level", withHandler("class=StreamHandler\nargs=(sys.stdout,)", "LOUD")],
  ["no root", configText({ loggers: { x: "qualname=x\nhandlers=" } })],
  [
    "a logger without its section",
    "[loggers]\nkeys=root,x\n[handlers]\nkeys=\n[formatters]\nkeys=\n[logger_root]\nhandlers=",
  ],
  ["no list of handlers", "[loggers]\nkeys=root\n[formatters]\nkeys=\n[logger_root]\nhandlers="],
  ["no list of formatters", "[loggers]\nkeys=root\n[handlers]\nkeys=\n[logger_root]\nhandlers="],
  ["a logger without handlers", configText({ loggers: { root: "level=INFO" } })],
  ["a logger without qualname", configText({ loggers: { root: "handlers=", x: "handlers=" } })],
  ["an unknown handler", configText({ loggers: { root: "handlers=x" } })],
  [
    "propagate by name",
    configText({ loggers: { root: "handlers=", x: "qualname=x\nhandlers=\npropagate=yes" } }),
  ],
  [
    "an unknown formatter",
    withHandler("class=StreamHandler\nargs=(sys.stdout,)\nlevel=INFO").replace("formatter=f", "formatter=g"),
  ],
  ["an unknown class", withHandler("class=handlers.NoSuchHandler\nargs=()")],
  ["no class", withHandler("args=()")],
  ["an unknown formatter class", withFormatter("class=no.such.Formatter\nformat=%(message)s")],
  ["an unknown style", withFormatter("format=%(message)s\nstyle=?")],
  ["a format without a field", withFormatter("format=nothing")],
  ["a { format without a field", withFormatter("format=nothing\nstyle={")],
  ["a $ format without a field", withFormatter("format=nothing\nstyle=$")],
  ["a $ format with a bare dollar", withFormatter("format=$message $ x\nstyle=$")],
  ["a { format with a bad conversion", withFormatter("format={message!x}\nstyle={")],
  ["a { format with a bad specification", withFormatter("format={message:???}\nstyle={")],
  ["a { format that doesn't close", withFormatter("format={message\nstyle={")],
  ["args that are not a tuple", withHandler("class=FileHandler\nargs=5")],
  ["a stream without its comma", withHandler("class=StreamHandler\nargs=(sys.stdout)")],
  ["args with a syntax error", withHandler("class=StreamHandler\nargs=(sys.stdout,")],
  ["too many args", withHandler("class=StreamHandler\nargs=(sys.stdout, 1)")],
  ["an unknown keyword", withHandler("class=StreamHandler\nkwargs={'strm': sys.stdout}")],
  ["an argument twice", withHandler("class=FileHandler\nargs=('x.log',)\nkwargs={'filename': 'x.log'}")],
  ["a file without name", withHandler("class=FileHandler\nargs=()")],
  ["an unknown name", withHandler("class=StreamHandler\nargs=(stdout,)")],
  ["a bad mode", withHandler("class=FileHandler\nargs=('x.log', 'q')")],
  ["an unknown encoding", withHandler("class=FileHandler\nargs=('x.log', 'a', 'nonsense')")],
  ["a bad when", withHandler("class=handlers.TimedRotatingFileHandler\nargs=('x.log', 'Q')")],
  ["a bad weekday", withHandler("class=handlers.TimedRotatingFileHandler\nargs=('x.log', 'W7')")],
];
