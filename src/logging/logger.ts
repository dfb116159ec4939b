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

/** What was said: all that is kept of it at that moment, so that the caller goes on at once. */
export interface Utterance {
  readonly voice: Voice;
  readonly level: Level;
  readonly said: string;
  readonly createdMs: number;
}

/** Give what was said to those who take it. */
export function deliver({ voice, level, said, createdMs }: Utterance, surroundings: Surroundings): void {
  const { name, file, callId, isCallShown, routes } = voice;
  const message = safeText(isCallShown && callId !== undefined ? `${said}, <<call ID: ${callId}>>` : said);
  const record: LogRecord = { level, name, file, said, message, callId, createdMs, surroundings };
  for (const emit of routes[level] ?? []) emit(record);
}

/** The logger of a source file. */
export function createTreeLogger(tree: LoggerTree, file: string): Logger {
  const name = nameOf(file);
  const routes = tree.routesOf(name);
  return new TreeLogger(tree, { name, isNamed: false, file, callId: undefined, isCallShown: false, routes });
}

function nameOf(file: string): string {
  return `tabpy.${moduleOf(file)}`;
}

/** Who says something. */
export interface Voice {
  readonly name: string;
  /** Whether the name was given, and doesn't follow the file. */
  readonly isNamed: boolean;
  readonly file: string;
  readonly callId: string | undefined;
  readonly isCallShown: boolean;
  readonly routes: Routes;
}

class TreeLogger implements Logger {
  readonly #tree: LoggerTree;
  readonly #voice: Voice;

  constructor(tree: LoggerTree, voice: Voice) {
    this.#tree = tree;
    this.#voice = voice;
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
    return this.#voice.routes[level] !== undefined;
  }

  for(file: string): Logger {
    const voice = this.#voice;
    if (voice.isNamed) return new TreeLogger(this.#tree, { ...voice, file });
    const name = nameOf(file);
    return new TreeLogger(this.#tree, { ...voice, file, name, routes: this.#tree.routesOf(name) });
  }

  named(name: string): Logger {
    const routes = this.#tree.routesOf(name);
    return new TreeLogger(this.#tree, { ...this.#voice, name, isNamed: true, routes });
  }

  inCall(callId: string, isAlwaysShown = false): Logger {
    const { name, isNamed, file, routes } = this.#voice;
    const isCallShown = isAlwaysShown || this.#tree.isDetailed;
    return new TreeLogger(this.#tree, { name, isNamed, file, callId, isCallShown, routes });
  }

  #log(level: Level, said: string): void {
    const voice = this.#voice;
    if (voice.routes[level] === undefined) return;
    this.#tree.take({ voice, level, said, createdMs: this.#tree.now() });
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
