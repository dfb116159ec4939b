// The logging sections of a config file, in the form of Python's logging.config.fileConfig, read and checked into a
// LoggingSpec; nothing is opened. https://docs.python.org/3/library/logging.config.html#logging-config-fileformat has the
// rules, docs/logging.md the differences.

import { join } from "node:path";
import { TabPyError } from "../../errors.ts";
import type { IniFile } from "../../ini.ts";
import { createFormatter } from "../format/formatter.ts";
import { levels, parseLevel } from "../levels.ts";
import {
  type FormatSpec,
  type FormatterSpec,
  type HandlerSpec,
  type LoggerSpec,
  type LoggingSpec,
  messageOnly,
} from "../spec.ts";
import { readTarget } from "./handler-classes.ts";

/** TabPy's default format of a line. */
export const defaultFormat: FormatSpec = {
  format: "%(asctime)s [%(levelname)s] (%(filename)s:%(module)s:%(lineno)d): %(message)s",
  datefmt: "%Y-%m-%d,%H:%M:%S",
  style: "%",
};

const lists = ["loggers", "handlers", "formatters"] as const;

/** What the file configures, or TabPy's default when it has no logging sections. Throws TabPyError `config`. */
export function readLogging(file: IniFile | undefined, statePath: string): LoggingSpec {
  if (file === undefined || !lists.some((list) => file.hasSection(list))) {
    const unused = (file?.sections() ?? []).filter((name) => /^(logger|handler|formatter)_/.test(name));
    const warnings = unused.map(
      (name) => `The section [${name}] has no effect: [loggers], [handlers] and [formatters] are missing`,
    );
    const root = defaultRoot(statePath);
    return { handlers: root.handlers, loggers: [root], isDefault: true, warnings };
  }
  const formatters = new Map<string, FormatterSpec>();
  for (const key of readKeys(file, "formatters"))
    formatters.set(key, readFormatter(sectionOf(file, "formatter", key)));
  const handlers = new Map<string, HandlerSpec>();
  for (const key of readKeys(file, "handlers"))
    handlers.set(key, readHandler(key, sectionOf(file, "handler", key), formatters));
  const keys = readKeys(file, "loggers");
  if (!keys.includes("root")) throw new Section(file, "loggers").fault("keys", "a list with root in it");
  const loggers = keys.map((key) => readLogger(key, sectionOf(file, "logger", key), handlers));
  return { handlers: [...handlers.values()], loggers, isDefault: false, warnings: [] };
}

/** The console at INFO, and a rotating file at DEBUG. */
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

/** The names in one of the lists. */
function readKeys(file: IniFile, list: (typeof lists)[number]): string[] {
  const section = new Section(file, list);
  const text = file.hasSection(list) ? section.get("keys") : undefined;
  if (text === undefined) throw section.fault("keys", "a section with that option");
  return text === "" ? [] : [...new Set(text.split(",").map((key) => key.trim()))];
}

/** The section of a name in a list. */
function sectionOf(file: IniFile, kind: "logger" | "handler" | "formatter", key: string): Section {
  const name = `${kind}_${key}`;
  if (file.hasSection(name)) return new Section(file, name);
  throw new Section(file, `${kind}s`).fault("keys", `a section [${name}] for "${key}"`);
}

/** The options of one section. `%(NAME)s` may also name an environment variable; those don't count as options. */
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

  /** As written in the file. */
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
  createFormatter(format, (option, wanted) => section.fault(option, wanted)); // only to check it
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

/** A handler that is named twice gets each record once. */
function unique(handlers: readonly HandlerSpec[]): HandlerSpec[] {
  return [...new Set(handlers)];
}

function readLevel(section: Section, otherwise: number): number {
  const text = section.get("level");
  if (text === undefined) return otherwise;
  const level = parseLevel(text);
  if (level === undefined)
    throw section.fault("level", "DEBUG, INFO, WARNING, ERROR, CRITICAL, NOTSET or a number");
  return level;
}
