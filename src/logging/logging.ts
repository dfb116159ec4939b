// The log of the program as one part with a life: handlers opened, loggers handed out, files opened anew when asked,
// everything written at the stop. What is configured comes from sections.ts.

import type { Service } from "../lifecycle.ts";
import { wantsColours } from "./colours.ts";
import { type FaultSource, HandlerShelf } from "./handlers.ts";
import { createTreeLogger, deliver, type Logger, type LoggerTree, type Utterance } from "./logger.ts";
import { createRoutes } from "./loggers.ts";
import type { LogRecord, Surroundings } from "./record.ts";
import { createSafeText, safeText } from "./safe-text.ts";
import type { HandlerSpec, LoggingSpec } from "./sections.ts";
import { createZoneName } from "./time-zone.ts";
import type { Command } from "./unix-socket.ts";

export interface LoggingOptions {
  readonly spec: LoggingSpec;
  /** TABPY_LOG_DETAILS: lines name the request that they are about. */
  readonly isDetailed: boolean;
  /** For NO_COLOR, TERM and TZ. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The Python that helps with syslog's socket. Throws when there is none. */
  readonly python: () => Command;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly pid?: number;
  /** Descriptors of standard output and standard error. */
  readonly stdout?: number;
  readonly stderr?: number;
}

/** How long what was said waits for more. */
const gatherMs = 50;
/** So many go in one round: enough to be worth one, and few enough to be still in the processor's caches. */
const enough = 128;
/** A longer message doesn't wait. */
const longChars = 16 * 1024;

/** Python's handler of last resort: what nobody takes, from WARNING on, goes to standard error bare. */
const lastResort: HandlerSpec = {
  name: "lastResort",
  target: { kind: "stream", stream: "stderr" },
  levelNumber: 30,
  formatter: { kind: "format", format: { format: undefined, datefmt: undefined, style: "%" } },
};

export class Logging implements Service {
  readonly name = "log";
  readonly #shelf: HandlerShelf;
  readonly #tree: LoggerTree;
  readonly #spec: LoggingSpec;
  readonly #surroundings: Surroundings;
  readonly #makeSafe = createSafeText();
  #waiting: Utterance[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Faults before the handlers that say them were open. */
  #early: [source: FaultSource, text: string][] | undefined = [];

  /** Opens files. What can't be written is a warning in the other logs. */
  constructor(options: LoggingOptions) {
    const { spec, env, now = Date.now, pid = process.pid } = options;
    this.#spec = spec;
    this.#surroundings = { pid, startedMs: now() };
    this.#shelf = new HandlerShelf({
      zoneName: createZoneName(env.TZ),
      now,
      stdout: options.stdout ?? 1,
      stderr: options.stderr ?? 2,
      isColoured: wantsColours(env),
      makesFolders: spec.isDefault,
      python: options.python,
      onFault: (source, text) => this.#fault(source, text),
      lossRecord: (text) => this.#warning(text),
    });
    const handler = (one: HandlerSpec) => this.#shelf.handler(one);
    for (const one of spec.handlers) handler(one);
    const nodes = spec.loggers.map((node) => ({ ...node, handlers: node.handlers.map(handler) }));
    const routesOf = createRoutes(nodes, (record) => handler(lastResort).emit(record));
    const take = (utterance: Utterance) => this.#take(utterance);
    this.#tree = { routesOf, isDetailed: options.isDetailed, now, take };
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const [source, text] of early) this.#fault(source, text);
    for (const text of spec.warnings) this.logger("sections.ts").warning(text);
  }

  /** The logger of a source file. */
  logger(file: string): Logger {
    return createTreeLogger(this.#tree, file);
  }

  async start(): Promise<void> {}

  /** Open files anew, after another program has renamed them. */
  reopen(): void {
    this.#deliver();
    for (const queue of this.#shelf.queues) queue.reopen();
  }

  /** Write what waits, for up to two seconds. */
  async stop(): Promise<void> {
    this.#deliver();
    // What one log says about another while it is written is to be written too.
    await Promise.all(this.#shelf.queues.map((queue) => queue.flush()));
    await Promise.all(this.#shelf.queues.map((queue) => queue.stop()));
  }

  /** Many records made in one go cost a small part of what they cost between the steps of requests. */
  #take(utterance: Utterance): void {
    this.#waiting.push(utterance);
    if (this.#waiting.length >= enough || utterance.said.length > longChars) this.#deliver();
    else this.#timer ??= setTimeout(() => this.#deliver(), gatherMs);
  }

  #deliver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const utterances = this.#waiting;
    this.#waiting = [];
    for (const utterance of utterances) deliver(utterance, this.#surroundings, this.#makeSafe);
  }

  /** Say a fault of one log in the root's others; when there is none, on standard error. */
  #fault(source: FaultSource, text: string): void {
    if (this.#early !== undefined) {
      this.#early.push([source, text]);
      return;
    }
    const root = this.#spec.loggers.find((node) => node.name === "");
    const record = this.#warning(text);
    const others = (root?.handlers ?? [])
      .map((spec) => this.#shelf.handler(spec))
      .filter((one) => one.source !== undefined && one.source !== source && one.levelNumber <= 30);
    if (others.length === 0 && this.#shelf.handler(lastResort).source !== source)
      others.push(this.#shelf.handler(lastResort));
    for (const one of others) one.emit(record);
  }

  #warning(said: string): LogRecord {
    const surroundings = this.#surroundings;
    const file = "logging.ts";
    const message = safeText(said);
    return {
      level: "WARNING",
      name: "tabpy.logging",
      file,
      said,
      message,
      callId: undefined,
      createdMs: this.#tree.now(),
      surroundings,
    };
  }
}
