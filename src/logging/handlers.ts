// Handlers: what a config file asks for (sections.ts), opened. Handlers that write to the same place share one queue,
// so that their lines stand in the order in which they were said.

import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { isatty } from "node:tty";
import { errorText } from "../errors.ts";
import { colour } from "./colours.ts";
import { createDescriptorTarget } from "./descriptor-target.ts";
import { createFileTarget, LogFile } from "./file-target.ts";
import { createFormatter, createJsonFormatter, type Formatter } from "./formatter.ts";
import type { FileSpec, TargetSpec } from "./handler-specs.ts";
import { LineQueue, type Target } from "./line-queue.ts";
import type { Emit } from "./logger.ts";
import type { LogRecord } from "./record.ts";
import type { FormatterSpec, HandlerSpec } from "./sections.ts";
import { createSizeRotationTarget } from "./size-rotation.ts";
import {
  createSyslogTarget,
  createTcpSender,
  createUdpSender,
  priorityOf,
  type Sender,
} from "./syslog-target.ts";
import { createTimeRotationTarget } from "./time-rotation.ts";
import type { ZoneName } from "./time-zone.ts";
import { type Command, createUnixSender } from "./unix-socket.ts";

export interface HandlerSurroundings {
  readonly zoneName: ZoneName;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Descriptors of standard output and standard error. */
  readonly stdout: number;
  readonly stderr: number;
  /** Whether lines on a terminal may have colours. */
  readonly isColoured: boolean;
  /** Makes folders of log files that are missing. */
  readonly makesFolders: boolean;
  /** The Python that helps with syslog's socket. Throws when there is none. */
  readonly python: () => Command;
  /** A fault of a place that is written to, to be said elsewhere. */
  readonly onFault: (source: FaultSource, text: string) => void;
  /** A record that says, in a log, what that log has lost. */
  readonly lossRecord: (text: string) => LogRecord;
}

/** Stands for a place that is written to. */
export interface FaultSource {
  readonly name: string;
}

export interface Handler {
  readonly levelNumber: number;
  readonly emit: Emit;
  /** Undefined for NullHandler. */
  readonly source: FaultSource | undefined;
}

interface Place {
  readonly source: FaultSource;
  readonly queue: LineQueue;
}

/** Opens handlers, and keeps the places that they share. */
export class HandlerShelf {
  readonly #surroundings: HandlerSurroundings;
  readonly #places = new Map<string, Place>();
  readonly #formatters = new Map<string, Formatter>();
  readonly #handlers = new Map<HandlerSpec, Handler>();

  constructor(surroundings: HandlerSurroundings) {
    this.#surroundings = surroundings;
  }

  get queues(): readonly LineQueue[] {
    return [...this.#places.values()].map(({ queue }) => queue);
  }

  /** The handler of a specification. A file that can't be opened is told to `onFault`, and tried again later. */
  handler(spec: HandlerSpec): Handler {
    const found = this.#handlers.get(spec);
    if (found !== undefined) return found;
    const made = this.#open(spec);
    this.#handlers.set(spec, made);
    return made;
  }

  #open(spec: HandlerSpec): Handler {
    const { target, levelNumber } = spec;
    if (target.kind === "null") return { levelNumber, emit: () => {}, source: undefined };
    const format = this.#lineOf(spec);
    const key = JSON.stringify(target);
    const place = this.#places.get(key) ?? this.#openPlace(key, target, format);
    this.#places.set(key, place);
    const { queue, source } = place;
    const emit: Emit = (record) =>
      queue.hasRoom ? queue.push(format(record), record.createdMs) : queue.drop();
    return { levelNumber, emit, source };
  }

  #openPlace(name: string, spec: Exclude<TargetSpec, { kind: "null" }>, format: Formatter): Place {
    const { onFault, lossRecord } = this.#surroundings;
    const source = { name };
    const onPlaceFault = (text: string) => onFault(source, text);
    const queue = new LineQueue({
      target: this.#createTarget(spec, onPlaceFault),
      lossLine: (text) => format(lossRecord(text)),
      onFault: onPlaceFault,
    });
    return { source, queue };
  }

  /** The whole line of a handler: its formatter's, and what its target wants around it. */
  #lineOf(spec: HandlerSpec): Formatter {
    const format = this.#formatter(spec.formatter);
    const { target } = spec;
    if (target.kind === "syslog") {
      return (record) => priorityOf(record.level, target.facility) + format(record);
    }
    const { isColoured, stdout, stderr } = this.#surroundings;
    const fd = target.kind === "stream" ? (target.stream === "stdout" ? stdout : stderr) : undefined;
    const isPainted = isColoured && spec.formatter.kind !== "json" && fd !== undefined && isatty(fd);
    return isPainted ? (record) => colour(record.level, format(record)) : format;
  }

  /** One formatter for equal specifications. It keeps its last line: several handlers ask for the same one. */
  #formatter(spec: FormatterSpec): Formatter {
    const key = JSON.stringify(spec);
    const found = this.#formatters.get(key);
    if (found !== undefined) return found;
    const format =
      spec.kind === "json"
        ? createJsonFormatter()
        : createFormatter(spec.format, this.#surroundings.zoneName);
    let lastRecord: LogRecord | undefined;
    let lastLine = "";
    const kept: Formatter = (record) => {
      if (record !== lastRecord) {
        lastLine = format(record);
        lastRecord = record;
      }
      return lastLine;
    };
    this.#formatters.set(key, kept);
    return kept;
  }

  #createTarget(spec: Exclude<TargetSpec, { kind: "null" }>, onFault: (text: string) => void): Target {
    switch (spec.kind) {
      case "stream": {
        const { stdout, stderr } = this.#surroundings;
        return spec.stream === "stdout"
          ? createDescriptorTarget(stdout, "standard output")
          : createDescriptorTarget(stderr, "standard error");
      }
      case "file":
        return createFileTarget(this.#openFile(spec.file, onFault), false);
      case "watched":
        return createFileTarget(this.#openFile(spec.file, onFault), true);
      case "size":
        return createSizeRotationTarget(this.#openFile(spec.file, onFault), { ...spec, onFault });
      case "time": {
        const file = this.#openFile(spec.file, onFault);
        return createTimeRotationTarget(file, { ...spec, nowMs: this.#surroundings.now(), onFault });
      }
      case "syslog": {
        const { address } = spec;
        const name = typeof address === "string" ? address : `${address.host} port ${address.port}`;
        return createSyslogTarget(`syslog at ${name}`, this.#createSender(spec));
      }
      default:
        return spec satisfies never;
    }
  }

  #openFile(spec: FileSpec, onFault: (text: string) => void): LogFile {
    const file = new LogFile(spec);
    try {
      if (this.#surroundings.makesFolders) mkdirSync(dirname(file.path), { recursive: true });
      file.openNow();
    } catch (error) {
      onFault(`Cannot write the log ${file.path}: ${errorText(error)}`);
    }
    return file;
  }

  #createSender(spec: Extract<TargetSpec, { kind: "syslog" }>): Sender {
    const { address, socket } = spec;
    if (typeof address === "string")
      return createUnixSender(address, socket ?? "any", this.#surroundings.python);
    const create = socket === "stream" ? createTcpSender : createUdpSender;
    return create(address.host, address.port);
  }
}
