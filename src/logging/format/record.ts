// A log record and its attributes, by the names and types of Python's LogRecord. percent.ts, brace.ts and template.ts
// put them into lines.

import { type Level, levels } from "../levels.ts";

/** What is the same for all records of the program. */
export interface ProcessInfo {
  readonly pid: number;
  /** When the log was opened, in milliseconds since 1970. */
  readonly startedMs: number;
}

export interface LogRecord {
  readonly level: Level;
  /** The logger, `tabpy.app` for example. */
  readonly name: string;
  /** The source file that logged it. */
  readonly file: string;
  /** The message as it was logged. */
  readonly text: string;
  /** The message for a line: nothing in it can look like a record of its own (safe-text.ts). */
  readonly message: string;
  /** The request that it belongs to. */
  readonly callId: string | undefined;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly process: ProcessInfo;
}

/**
 * A value with its Python type: JavaScript doesn't tell floats from integers. `isOwn`: it differs from record to record;
 * the others are the same for all records of a level, a logger and a file.
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
 * Every attribute of https://docs.python.org/3/library/logging.html#logrecord-attributes but `asctime`, which needs a
 * date format. `args` is empty: messages are complete. A compiled program has no line numbers and function names.
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
  ["funcName", text(() => "(unknown function)")], // what Python writes when it can't find it
  ["created", ownFloat((record) => record.createdMs / 1000)],
  ["msecs", ownFloat((record) => record.createdMs % 1000)],
  ["relativeCreated", ownFloat((record) => record.createdMs - record.process.startedMs)],
  ["thread", integer((record) => record.process.pid)],
  ["threadName", text(() => "MainThread")],
  ["processName", text(() => "MainProcess")],
  ["process", integer((record) => record.process.pid)],
  ["taskName", none],
  ["message", ownText((record) => record.message)],
]);

/** `app` for `app.ts`. */
export function moduleOf(file: string): string {
  const dot = file.lastIndexOf(".");
  return dot > 0 ? file.slice(0, dot) : file;
}
