// The logging sections of a config file, in the form of Python's logging.config.fileConfig: read and checked, nothing
// is opened. https://docs.python.org/3/library/logging.config.html#logging-config-fileformat is the rule book;
// docs/logging.md says where this differs.

import { join } from "node:path";
import { TabPyError } from "../errors.ts";
import type { IniFile } from "../ini.ts";
import type { FormatSpec } from "./formatter.ts";
import { createFormatter } from "./formatter.ts";
import { readTarget, type TargetSpec } from "./handler-specs.ts";
import { levels, parseLevel, wantedLevel } from "./levels.ts";
import { defaultFormat } from "./logger.ts";

export type FormatterSpec =
  | { readonly kind: "format"; readonly format: FormatSpec }
  | { readonly kind: "json" };

export interface HandlerSpec {
  readonly name: string;
  readonly target: TargetSpec;
  /** 0 takes everything. */
  readonly levelNumber: number;
  readonly formatter: FormatterSpec;
}

export interface LoggerSpec {
  /** Empty for the root. */
  readonly name: string;
  /** 0: the level of the logger above. */
  readonly levelNumber: number;
  readonly handlers: readonly HandlerSpec[];
  /** Whether handlers of the loggers above get its records too. */
  readonly isPropagating: boolean;
}

export interface LoggingSpec {
  /** All that are listed: those that no logger has are opened too. */
  readonly handlers: readonly HandlerSpec[];
  readonly loggers: readonly LoggerSpec[];
  /** Whether folders of log files are made when they are missing: those of the default alone. */
  readonly isDefault: boolean;
  /** For the log: sections that have no effect. */
  readonly warnings: readonly string[];
}

const lists = ["loggers", "handlers", "formatters"] as const;
const messageOnly: FormatterSpec = {
  kind: "format",
  format: { format: undefined, datefmt: undefined, style: "%" },
};

/** What the file asks for; TabPy's default where it has no logging sections. Throws TabPyError `config`. */
export function readLogging(file: IniFile | undefined, statePath: string): LoggingSpec {
  if (file === undefined || !lists.some((list) => file.hasSection(list))) {
    const unused = (file?.sections() ?? []).filter((name) => /^(logger|handler|formatter)_/.test(name));
    const warnings = unused.map(
      (name) => `The section [${name}] has no effect: [loggers], [handlers] and [formatters] are missing`,
    );
    const root = defaultRoot(statePath);
    return { handlers: root.handlers, loggers: [root], isDefault: true, warnings };
  }
  const sections = new Sections(file);
  const formatters = new Map<string, FormatterSpec>();
  for (const key of sections.keys("formatters"))
    formatters.set(key, readFormatter(sections.of("formatter", key)));
  const handlers = new Map<string, HandlerSpec>();
  for (const key of sections.keys("handlers"))
    handlers.set(key, readHandler(key, sections.of("handler", key), formatters));
  const keys = sections.keys("loggers");
  if (!keys.includes("root")) throw sections.fault("loggers", "keys", "a list with root in it");
  const loggers = keys.map((key) => readLogger(key, sections.of("logger", key), handlers));
  return { handlers: [...handlers.values()], loggers, isDefault: false, warnings: [] };
}

/** TabPy's: the console at INFO, and a file at DEBUG that rotates. */
function defaultRoot(statePath: string): LoggerSpec {
  const formatter: FormatterSpec = { kind: "format", format: defaultFormat };
  const path = join(statePath, "tabpy_log.log");
  const file = { path, mode: "a", encoding: "utf8", isDelayed: false } as const;
  return {
    name: "",
    levelNumber: levels.DEBUG,
    isPropagating: false,
    handlers: [
      {
        name: "rootHandler",
        target: { kind: "stream", stream: "stdout" },
        levelNumber: levels.INFO,
        formatter,
      },
      {
        name: "rotatingFileHandler",
        target: { kind: "size", file, maxBytes: 1_000_000, backups: 5 },
        levelNumber: levels.DEBUG,
        formatter,
      },
    ],
  };
}

/** Options of the file's sections. The environment, which `%(NAME)s` may name, is no option of theirs. */
class Sections {
  readonly #file: IniFile;

  constructor(file: IniFile) {
    this.#file = file;
  }

  keys(list: (typeof lists)[number]): string[] {
    const text = this.#file.hasSection(list) ? new Section(this.#file, list).get("keys") : undefined;
    if (text === undefined) throw this.fault(list, "keys", "a section with that option");
    return text === "" ? [] : [...new Set(text.split(",").map((key) => key.trim()))];
  }

  of(kind: "logger" | "handler" | "formatter", key: string): Section {
    const name = `${kind}_${key}`;
    if (this.#file.hasSection(name)) return new Section(this.#file, name);
    throw this.fault(`${kind}s`, "keys", `a section [${name}] for "${key}"`);
  }

  fault(section: string, option: string, wanted: string): TabPyError {
    return new Section(this.#file, section).fault(option, wanted);
  }
}

class Section {
  readonly #file: IniFile;
  readonly name: string;

  constructor(file: IniFile, name: string) {
    this.#file = file;
    this.name = name;
  }

  /** With `%(NAME)s` replaced. */
  get(option: string): string | undefined {
    return this.#isThere(option) ? this.#file.get(this.name, option) : undefined;
  }

  /** As it stands in the file. */
  raw(option: string): string | undefined {
    return this.#isThere(option) ? this.#file.raw(this.name, option) : undefined;
  }

  required(option: string): string {
    const value = this.get(option);
    if (value === undefined) throw this.fault(option, "this option");
    return value;
  }

  /** The section, for messages: `tabpy.conf section [handler_x]`. */
  get place(): string {
    return `${this.#file.source} section [${this.name}]`;
  }

  fault(option: string, wanted: string): TabPyError {
    const value = this.raw(option);
    const given = value === undefined ? "" : ` ${JSON.stringify(value.slice(0, 200))}`;
    return new TabPyError("config", `Cannot use ${option}${given} (${this.place}): expected ${wanted}`);
  }

  #isThere(option: string): boolean {
    return this.#file.lineOf(this.name, option) !== undefined;
  }
}

function readFormatter(section: Section): FormatterSpec {
  const className = section.get("class") || "logging.Formatter";
  if (className === "tabpy.JsonFormatter") return { kind: "json" };
  if (className !== "logging.Formatter" && className !== "Formatter")
    throw section.fault("class", "logging.Formatter or tabpy.JsonFormatter");
  const style = section.raw("style") ?? "%";
  if (style !== "%" && style !== "{" && style !== "$") throw section.fault("style", "%, { or $");
  const format: FormatSpec = { format: section.raw("format"), datefmt: section.raw("datefmt"), style };
  try {
    createFormatter(format, () => "");
  } catch (error) {
    if (error instanceof TabPyError) throw section.fault("format", error.message.replace("expected ", ""));
    throw error;
  }
  return { kind: "format", format };
}

function readHandler(
  name: string,
  section: Section,
  formatters: ReadonlyMap<string, FormatterSpec>,
): HandlerSpec {
  const target = readTarget(
    section.required("class").trim(),
    section.get("args"),
    section.get("kwargs"),
    section.place,
  );
  const formatterName = section.get("formatter") ?? "";
  const formatter = formatterName === "" ? messageOnly : formatters.get(formatterName);
  if (formatter === undefined)
    throw section.fault("formatter", `one of ${[...formatters.keys()].join(", ") || "none"}`);
  return { name, target, levelNumber: readLevel(section, 0), formatter };
}

function readLogger(key: string, section: Section, known: ReadonlyMap<string, HandlerSpec>): LoggerSpec {
  const text = section.required("handlers");
  const names = text === "" ? [] : text.split(",").map((name) => name.trim());
  const handlers = names.map((name) => {
    const handler = known.get(name);
    if (handler === undefined)
      throw section.fault("handlers", `names of ${[...known.keys()].join(", ") || "nothing"}`);
    return handler;
  });
  if (key === "root") {
    const levelNumber = readLevel(section, levels.WARNING);
    return { name: "", levelNumber, handlers: unique(handlers), isPropagating: false };
  }
  const levelNumber = readLevel(section, 0);
  const propagate = section.get("propagate") ?? "1";
  if (!/^\s*[+-]?\d+\s*$/.test(propagate)) throw section.fault("propagate", "0 or 1");
  const name = section.required("qualname");
  return { name, levelNumber, handlers: unique(handlers), isPropagating: Number(propagate) !== 0 };
}

/** A logger has a handler once, however often its name stands there. */
function unique(handlers: readonly HandlerSpec[]): HandlerSpec[] {
  return [...new Set(handlers)];
}

function readLevel(section: Section, otherwise: number): number {
  const text = section.get("level");
  if (text === undefined) return otherwise;
  const level = parseLevel(text);
  if (level === undefined) throw section.fault("level", wantedLevel);
  return level;
}
