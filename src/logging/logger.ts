// Loggers, by name and source file. A call only keeps a record's data; logging.ts formats and writes it later. Which
// handlers take a logger's records is computed once per name, by Python's rules: the nearest level set on the way up to
// the root applies, and handlers are collected on the way up until a logger doesn't propagate.

import { safeText } from "./format/safe-text.ts";
import { type LogRecord, moduleOf, type ProcessInfo } from "./format/record.ts";
import { type Level, levels } from "./levels.ts";

/** Writes records of one source file. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warning(message: string): void;
  error(message: string): void;
  critical(message: string): void;
  /** Whether some handler takes records of `level`: check this before building a costly message. */
  isEnabled(level: Level): boolean;
  /** A logger for another source file; its name is `tabpy.` and the module unless `named` set one. */
  for(file: string): Logger;
  /** A logger with a name of its own, by which a config file can set its level and handlers: `tabpy.audit`. */
  named(name: string): Logger;
  /**
   * A logger for the request `callId`. Its lines end with `<<call ID: ...>>` when TABPY_LOG_DETAILS is on, or always
   * when `isAlwaysShown`.
   */
  inCall(callId: string, isAlwaysShown?: boolean): Logger;
}

/** Takes a record. Must neither block nor throw. */
export type Emit = (record: LogRecord) => void;

/** The handlers of one logger name, by level. A level that no handler takes is missing. */
export type Routes = { readonly [level in Level]?: readonly Emit[] };

/** What all loggers of a program share. */
export interface LoggerTree {
  routesOf(name: string): Routes;
  /** Whether lines name the request that they belong to. */
  readonly isDetailed: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Takes records in order. Must neither block nor throw. */
  readonly take: (record: PendingRecord) => void;
}

/** The logger that a record came from. */
export interface LogSource {
  readonly name: string;
  readonly file: string;
  readonly routes: Routes;
  readonly callId: string | undefined;
  /** Whether the line names the request. */
  readonly isCallShown: boolean;
}

/** A record before it is formatted: as little as possible, so that the caller continues at once. */
export interface PendingRecord {
  readonly source: LogSource;
  readonly level: Level;
  readonly text: string;
  readonly createdMs: number;
}

/** Complete a record and give it to the handlers of its logger. */
export function deliver(
  { source, level, text, createdMs }: PendingRecord,
  process: ProcessInfo,
  makeSafe: (text: string) => string = safeText,
): void {
  const { name, file, callId, isCallShown, routes } = source;
  const safe = makeSafe(text);
  const message = isCallShown && callId !== undefined ? `${safe}, <<call ID: ${makeSafe(callId)}>>` : safe;
  const record: LogRecord = { level, name, file, text, message, callId, createdMs, process };
  for (const emit of routes[level] ?? []) emit(record);
}

/** The logger of a source file. */
export function createTreeLogger(tree: LoggerTree, file: string): Logger {
  const name = nameOf(file);
  const routes = tree.routesOf(name);
  return new TreeLogger(tree, { name, file, routes, callId: undefined, isCallShown: false }, false);
}

function nameOf(file: string): string {
  return `tabpy.${moduleOf(file)}`;
}

/** Created for each request, so it is kept small. */
class TreeLogger implements Logger {
  readonly #tree: LoggerTree;
  readonly #source: LogSource;
  /** Whether `named` set the name; otherwise it follows the file. */
  readonly #isNamed: boolean;

  constructor(tree: LoggerTree, source: LogSource, isNamed: boolean) {
    this.#tree = tree;
    this.#source = source;
    this.#isNamed = isNamed;
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
    return this.#source.routes[level] !== undefined;
  }

  for(file: string): Logger {
    const { callId, isCallShown } = this.#source;
    const name = this.#isNamed ? this.#source.name : nameOf(file);
    const routes = this.#isNamed ? this.#source.routes : this.#tree.routesOf(name);
    return new TreeLogger(this.#tree, { name, file, routes, callId, isCallShown }, this.#isNamed);
  }

  named(name: string): Logger {
    const { file, callId, isCallShown } = this.#source;
    const routes = this.#tree.routesOf(name);
    return new TreeLogger(this.#tree, { name, file, routes, callId, isCallShown }, true);
  }

  inCall(callId: string, isAlwaysShown = false): Logger {
    const { name, file, routes } = this.#source;
    const isCallShown = isAlwaysShown || this.#tree.isDetailed;
    return new TreeLogger(this.#tree, { name, file, routes, callId, isCallShown }, this.#isNamed);
  }

  #log(level: Level, text: string): void {
    const source = this.#source;
    if (source.routes[level] === undefined) return;
    const tree = this.#tree;
    tree.take({ source, level, text, createdMs: tree.now() });
  }
}

/** A configured logger. */
export interface LoggerNode {
  /** Empty for the root. */
  readonly name: string;
  /** 0: the level of the logger above. */
  readonly levelNumber: number;
  readonly handlers: readonly { readonly levelNumber: number; readonly emit: Emit }[];
  readonly isPropagating: boolean;
}

/**
 * Looks up routes by logger name, and caches them: the program has few names.
 *
 * @param lastResort takes records from WARNING on when no logger on the way up has a handler.
 */
export function createRoutes(nodes: readonly LoggerNode[], lastResort: Emit): (name: string) => Routes {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const cached = new Map<string, Routes>();
  return (name) => {
    const found = cached.get(name);
    if (found !== undefined) return found;
    const routes = computeRoutes(pathOf(name, byName), lastResort);
    cached.set(name, routes);
    return routes;
  };
}

/** The configured loggers from `name` up to the root. */
function pathOf(name: string, byName: ReadonlyMap<string, LoggerNode>): LoggerNode[] {
  const parts = name.split(".");
  // getLogger("root") is the root itself since Python 3.9.
  const names =
    name === "root" || name === ""
      ? [""]
      : parts.map((_, index) => parts.slice(0, parts.length - index).join("."));
  return [...new Set([...names, ""])].flatMap((one) => byName.get(one) ?? []);
}

function computeRoutes(path: readonly LoggerNode[], lastResort: Emit): Routes {
  const effective = path.find((node) => node.levelNumber > 0)?.levelNumber ?? 0;
  const end = path.findIndex((node) => !node.isPropagating);
  const asked = end === -1 ? path : path.slice(0, end + 1);
  const handlers = asked.flatMap((node) => node.handlers);
  const routes: { [level in Level]?: readonly Emit[] } = {};
  for (const level of Object.keys(levels) as Level[]) {
    const number = levels[level];
    if (number < effective) continue;
    const emits = handlers.filter((handler) => number >= handler.levelNumber).map((handler) => handler.emit);
    if (handlers.length === 0 && number >= levels.WARNING) emits.push(lastResort);
    if (emits.length > 0) routes[level] = emits;
  }
  return routes;
}
