// Who says something: loggers by name and source file. Which handlers take what a logger says is decided once for
// each name (loggers.ts); where the lines go is line-queue.ts's affair.

import { type Formatter, createFormatter } from "./formatter.ts";
import { type Level, levels } from "./levels.ts";
import { type LogRecord, moduleOf, type Surroundings } from "./record.ts";
import { safeText } from "./safe-text.ts";

/** Writes records of one source file. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warning(message: string): void;
  error(message: string): void;
  critical(message: string): void;
  /** Whether some handler takes records of `level`: ask before a costly message is made. */
  isEnabled(level: Level): boolean;
  /** A logger that names another source file; its name is `tabpy.` and the module unless `named` gave it one. */
  for(file: string): Logger;
  /** A logger with a name of its own, by which a config file can choose its level and handlers: `tabpy.audit`. */
  named(name: string): Logger;
  /**
   * A logger for the request `callId`. Its lines end with `<<call ID: ...>>` when TABPY_LOG_DETAILS is on, or always
   * when `isAlwaysShown`.
   */
  inCall(callId: string, isAlwaysShown?: boolean): Logger;
}

/** Takes a record. Must neither block nor throw. */
export type Emit = (record: LogRecord) => void;

/** For one name of a logger: who takes records of which level. A level that nobody wants is missing. */
export type Routes = { readonly [level in Level]?: readonly Emit[] };

/** What all loggers of a program share. */
export interface LoggerTree {
  routesOf(name: string): Routes;
  /** Whether lines name the request that they are about. */
  readonly isDetailed: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Takes what is said, in order; the records are made of it when there is time. Must neither block nor throw. */
  readonly take: (utterance: Utterance) => void;
}

/** Who says something. */
export interface Voice {
  readonly name: string;
  readonly file: string;
  readonly routes: Routes;
  readonly callId: string | undefined;
  /** Whether the line names the request. */
  readonly isCallShown: boolean;
}

/** What was said: all that is kept of it at that moment, so that the caller goes on at once. */
export interface Utterance {
  readonly voice: Voice;
  readonly level: Level;
  readonly said: string;
  readonly createdMs: number;
}

/** Give what was said to those who take it. */
export function deliver(
  { voice, level, said, createdMs }: Utterance,
  surroundings: Surroundings,
  makeSafe: (text: string) => string = safeText,
): void {
  const { name, file, callId, isCallShown, routes } = voice;
  const safe = makeSafe(said);
  const message = isCallShown && callId !== undefined ? `${safe}, <<call ID: ${makeSafe(callId)}>>` : safe;
  const record: LogRecord = { level, name, file, said, message, callId, createdMs, surroundings };
  for (const emit of routes[level] ?? []) emit(record);
}

/** The logger of a source file. */
export function createTreeLogger(tree: LoggerTree, file: string): Logger {
  const name = nameOf(file);
  return new TreeLogger(tree, name, false, file, tree.routesOf(name), undefined, false);
}

function nameOf(file: string): string {
  return `tabpy.${moduleOf(file)}`;
}

/** Loggers are made for each request: they are as small as can be. */
class TreeLogger implements Logger, Voice {
  readonly #tree: LoggerTree;
  readonly name: string;
  /** Whether the name was given, and doesn't follow the file. */
  readonly #isNamed: boolean;
  readonly file: string;
  readonly routes: Routes;
  readonly callId: string | undefined;
  readonly isCallShown: boolean;

  constructor(
    tree: LoggerTree,
    name: string,
    isNamed: boolean,
    file: string,
    routes: Routes,
    callId: string | undefined,
    isCallShown: boolean,
  ) {
    this.#tree = tree;
    this.name = name;
    this.#isNamed = isNamed;
    this.file = file;
    this.routes = routes;
    this.callId = callId;
    this.isCallShown = isCallShown;
  }

  debug(message: string): void {
    this.#log("DEBUG", message);
  }

  info(message: string): void {
    this.#log("INFO", message);
  }

  warning(message: string): void {
    this.#log("WARNING", message);
  }

  error(message: string): void {
    this.#log("ERROR", message);
  }

  critical(message: string): void {
    this.#log("CRITICAL", message);
  }

  isEnabled(level: Level): boolean {
    return this.routes[level] !== undefined;
  }

  for(file: string): Logger {
    const name = this.#isNamed ? this.name : nameOf(file);
    const routes = this.#isNamed ? this.routes : this.#tree.routesOf(name);
    return new TreeLogger(this.#tree, name, this.#isNamed, file, routes, this.callId, this.isCallShown);
  }

  named(name: string): Logger {
    const routes = this.#tree.routesOf(name);
    return new TreeLogger(this.#tree, name, true, this.file, routes, this.callId, this.isCallShown);
  }

  inCall(callId: string, isAlwaysShown = false): Logger {
    const isShown = isAlwaysShown || this.#tree.isDetailed;
    return new TreeLogger(this.#tree, this.name, this.#isNamed, this.file, this.routes, callId, isShown);
  }

  #log(level: Level, said: string): void {
    if (this.routes[level] === undefined) return;
    const tree = this.#tree;
    tree.take({ voice: this, level, said, createdMs: tree.now() });
  }
}

/** TabPy's default form of a line. */
export const defaultFormat = {
  format: "%(asctime)s [%(levelname)s] (%(filename)s:%(module)s:%(lineno)d): %(message)s",
  datefmt: "%Y-%m-%d,%H:%M:%S",
  style: "%",
} as const;

/** Takes finished lines, without line end. Must not block. */
export type WriteLine = (line: string) => void;

/**
 * A logger with one place to write to, for records of `level` and above in TabPy's default form. `file` is the source
 * file that lines name, `pool.ts` for example.
 */
export function createLogger(write: WriteLine, level: Level, file: string): Logger {
  const format: Formatter = createFormatter(defaultFormat, () => "");
  const emits: readonly Emit[] = [(record) => write(format(record))];
  const wanted = Object.entries(levels).filter(([, number]) => number >= levels[level]);
  const routes: Routes = Object.fromEntries(wanted.map(([name]) => [name, emits]));
  const surroundings = { pid: process.pid, startedMs: Date.now() };
  const tree: LoggerTree = {
    routesOf: () => routes,
    isDetailed: false,
    now: Date.now,
    take: (utterance) => deliver(utterance, surroundings),
  };
  return createTreeLogger(tree, file);
}
