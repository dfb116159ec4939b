// A log record and its attributes, by the names and types that Python's LogRecord gives them. How they are put into
// a line is the affair of percent-style.ts, brace-style.ts and dollar-style.ts.

import { type Level, levels } from "./levels.ts";

/** What of a record doesn't change while the program runs. */
export interface Surroundings {
  readonly pid: number;
  /** When logging began, in milliseconds since 1970. */
  readonly startedMs: number;
}

/** One thing that was said. */
export interface LogRecord {
  readonly level: Level;
  /** The logger, `tabpy.app` for example. */
  readonly name: string;
  /** The source file that said it. */
  readonly file: string;
  /** The message as it was said. */
  readonly said: string;
  /** The message as lines show it: nothing in it can look like a record of its own (safe-text.ts). */
  readonly message: string;
  /** The request that it is about. */
  readonly callId: string | undefined;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly surroundings: Surroundings;
}

/**
 * A value as Python has it. Floats are told from integers, which JavaScript doesn't do. `isOwn`: each record has its
 * own; the others are the same for all records of a level, a logger and a file.
 */
export type Attribute = { readonly isOwn: boolean } & (
  | { readonly kind: "text"; readonly read: (record: LogRecord) => string }
  | { readonly kind: "integer" | "float"; readonly read: (record: LogRecord) => number }
  | { readonly kind: "none" | "tuple" }
);

const text = (read: (record: LogRecord) => string): Attribute => ({ kind: "text", read, isOwn: false });
const ownText = (read: (record: LogRecord) => string): Attribute => ({ kind: "text", read, isOwn: true });
const integer = (read: (record: LogRecord) => number): Attribute => ({ kind: "integer", read, isOwn: false });
const ownFloat = (read: (record: LogRecord) => number): Attribute => ({ kind: "float", read, isOwn: true });
const none: Attribute = { kind: "none", isOwn: false };

/**
 * Every attribute of https://docs.python.org/3/library/logging.html#logrecord-attributes but `asctime` and the
 * message's own arguments: messages come finished. A compiled source has no line numbers and no function names.
 */
export const attributes: ReadonlyMap<string, Attribute> = new Map([
  ["name", text((record) => record.name)],
  ["msg", ownText((record) => record.message)],
  ["args", { kind: "tuple", isOwn: false } as const],
  ["levelname", text((record) => record.level)],
  ["levelno", integer((record) => levels[record.level])],
  ["pathname", text((record) => record.file)],
  ["filename", text((record) => record.file)],
  ["module", text((record) => moduleOf(record.file))],
  ["exc_info", none],
  ["exc_text", none],
  ["stack_info", none],
  ["lineno", integer(() => 0)],
  ["funcName", text(() => unknownFunction)],
  ["created", ownFloat((record) => record.createdMs / 1000)],
  ["msecs", ownFloat((record) => record.createdMs % 1000)],
  ["relativeCreated", ownFloat((record) => record.createdMs - record.surroundings.startedMs)],
  ["thread", integer((record) => record.surroundings.pid)],
  ["threadName", text(() => "MainThread")],
  ["processName", text(() => "MainProcess")],
  ["process", integer((record) => record.surroundings.pid)],
  ["taskName", none],
  ["message", ownText((record) => record.message)],
]);

/** What Python writes where it can't find out. */
export const unknownFunction = "(unknown function)";

/** `app` for `app.ts`. */
export function moduleOf(file: string): string {
  const dot = file.lastIndexOf(".");
  return dot > 0 ? file.slice(0, dot) : file;
}
