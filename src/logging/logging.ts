// The program's log as a service: opens handlers, hands out loggers, reopens files on request, writes everything at stop.
// Records wait here as data and are formatted in batches, off the path of requests; config/sections.ts reads what is
// configured.

import type { Service } from "../lifecycle.ts";
import type { LogRecord, ProcessInfo } from "./format/record.ts";
import { createSafeText, safeText } from "./format/safe-text.ts";
import { Handlers } from "./handlers.ts";
import { createRoutes, createTreeLogger, deliver, type LoggerTree } from "./logger.ts";
import type { Logger, PendingRecord } from "./logger.ts";
import { type HandlerSpec, type LoggingSpec, messageOnly } from "./spec.ts";
import { wantsColours } from "./write/stream.ts";

export interface LoggingOptions {
  readonly spec: LoggingSpec;
  /** TABPY_LOG_DETAILS: lines name the request that they belong to. */
  readonly isDetailed: boolean;
  /** For NO_COLOR and TERM. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The Python that sends to a local syslog socket, as a command line. Throws when there is none. */
  readonly python: () => readonly string[];
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly pid?: number;
  /** Descriptors of standard output and standard error. */
  readonly stdout?: number;
  readonly stderr?: number;
}

/** The longest time from a record to the write of its line, unless its target is slow. */
const gatherMs = 50;
/** How many records are formatted together: enough to be fast, few enough to stay in the processor's caches. */
const maxBatchRecords = 128;
/** A longer message is formatted at once: only formatted lines count against the limit in bytes. */
const longChars = 16 * 1024;

/** Python's handler of last resort: the bare message on standard error, from WARNING on. */
const lastResort: HandlerSpec = {
  name: "lastResort",
  target: { kind: "stream", stream: "stderr" },
  levelNumber: 30,
  formatter: messageOnly,
};

export class Logging implements Service {
  readonly name = "log";
  readonly #handlers: Handlers;
  readonly #tree: LoggerTree;
  readonly #spec: LoggingSpec;
  readonly #process: ProcessInfo;
  readonly #makeSafe = createSafeText();
  #pending: PendingRecord[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Faults that occurred before all handlers were open. */
  #early: [sink: string, text: string][] | undefined = [];

  /** Opens files. A log that can't be written is a warning in the other logs. */
  constructor(options: LoggingOptions) {
    const { spec, env, now = Date.now, pid = process.pid } = options;
    this.#spec = spec;
    this.#process = { pid, startedMs: now() };
    this.#handlers = new Handlers({
      now,
      stdout: options.stdout ?? 1,
      stderr: options.stderr ?? 2,
      isColoured: wantsColours(env),
      makesFolders: spec.isDefault,
      python: options.python,
      onFault: (sink, text) => this.#fault(sink, text),
      lossRecord: (text) => this.#warning(text),
    });
    const handler = (one: HandlerSpec) => this.#handlers.get(one);
    for (const one of spec.handlers) handler(one);
    const nodes = spec.loggers.map((node) => ({ ...node, handlers: node.handlers.map(handler) }));
    const routesOf = createRoutes(nodes, (record) => handler(lastResort).emit(record));
    const take = (record: PendingRecord) => this.#take(record);
    this.#tree = { routesOf, isDetailed: options.isDetailed, now, take };
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const [sink, text] of early) this.#fault(sink, text);
    for (const text of spec.warnings) this.logger("sections.ts").warning(text);
  }

  /** The logger of a source file. */
  logger(file: string): Logger {
    return createTreeLogger(this.#tree, file);
  }

  async start(): Promise<void> {}

  /** Reopen files by their paths, after another program has renamed them. */
  reopen(): void {
    this.#format();
    for (const buffer of this.#handlers.buffers) buffer.reopen();
  }

  /** Write everything, for up to two seconds. */
  async stop(): Promise<void> {
    this.#format();
    // A fault of one log is a line in another: first write all of them, then close.
    await Promise.all(this.#handlers.buffers.map((buffer) => buffer.flush()));
    await Promise.all(this.#handlers.buffers.map((buffer) => buffer.stop()));
    clearTimeout(this.#timer);
  }

  #take(record: PendingRecord): void {
    this.#pending.push(record);
    if (this.#pending.length >= maxBatchRecords || record.text.length > longChars) this.#format();
    this.#timer ??= setTimeout(() => this.#write(), gatherMs);
  }

  /** Put the lines of all pending records into the buffers of their targets. */
  #format(): void {
    const records = this.#pending;
    this.#pending = [];
    for (const record of records) deliver(record, this.#process, this.#makeSafe);
  }

  #write(): void {
    this.#timer = undefined;
    this.#format();
    for (const buffer of this.#handlers.buffers) buffer.write();
  }

  /** Log a fault of one target in the root's other targets; when there are none, on standard error. */
  #fault(sink: string, text: string): void {
    if (this.#early !== undefined) {
      this.#early.push([sink, text]);
      return;
    }
    const root = this.#spec.loggers.find((node) => node.name === "");
    const record = this.#warning(text);
    const others = (root?.handlers ?? [])
      .map((spec) => this.#handlers.get(spec))
      .filter((one) => one.sink !== undefined && one.sink !== sink && one.levelNumber <= 30);
    if (others.length === 0 && this.#handlers.get(lastResort).sink !== sink)
      others.push(this.#handlers.get(lastResort));
    for (const one of others) one.emit(record);
    this.#timer ??= setTimeout(() => this.#write(), gatherMs);
  }

  #warning(text: string): LogRecord {
    return {
      level: "WARNING",
      name: "tabpy.logging",
      file: "logging.ts",
      text,
      message: safeText(text),
      callId: undefined,
      createdMs: this.#tree.now(),
      process: this.#process,
    };
  }
}
