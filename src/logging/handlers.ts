// The handlers that a config file asks for (spec.ts), opened. Handlers that write to the same target share one buffer,
// so that their lines keep the order of their records.

import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { isatty } from "node:tty";
import { errorText } from "../errors.ts";
import { createFormatter, createJsonFormatter, type Formatter } from "./format/formatter.ts";
import type { LogRecord } from "./format/record.ts";
import type { Emit } from "./logger.ts";
import type { FileSpec, FormatterSpec, HandlerSpec, TargetSpec } from "./spec.ts";
import { createFileTarget, LogFile } from "./write/file.ts";
import { LineBuffer, type Target } from "./write/line-buffer.ts";
import { createSizeRotationTarget } from "./write/rotation.ts";
import { colour, createStreamTarget } from "./write/stream.ts";
import { createSyslogTarget, createTcpSender, createUdpSender, priorityOf } from "./write/syslog.ts";
import { createSocketSender } from "./write/syslog-socket.ts";
import { createTimeRotationTarget } from "./write/time-rotation.ts";

export interface HandlersOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Descriptors of standard output and standard error. */
  readonly stdout: number;
  readonly stderr: number;
  /** Whether lines on a terminal may have colours. */
  readonly isColoured: boolean;
  /** Whether missing folders of log files are created. */
  readonly makesFolders: boolean;
  /** The Python that sends to a local syslog socket, as a command line. Throws when there is none. */
  readonly python: () => readonly string[];
  /** Called when a target fails; `sink` names it, as in `Handler`. */
  readonly onFault: (sink: string, text: string) => void;
  /** The record that tells, in a log, what that log has lost. */
  readonly lossRecord: (text: string) => LogRecord;
}

export interface Handler {
  readonly levelNumber: number;
  readonly emit: Emit;
  /** Equal for handlers that share a target. Undefined for NullHandler. */
  readonly sink: string | undefined;
}

type SinkSpec = Exclude<TargetSpec, { kind: "null" }>;

/** Opens handlers, and keeps the sinks (a target behind its buffer) and formatters that they share. */
export class Handlers {
  readonly #options: HandlersOptions;
  readonly #sinks = new Map<string, LineBuffer>();
  readonly #formatters = new Map<string, Formatter>();
  readonly #handlers = new Map<HandlerSpec, Handler>();

  constructor(options: HandlersOptions) {
    this.#options = options;
  }

  get buffers(): readonly LineBuffer[] {
    return [...this.#sinks.values()];
  }

  /** The handler of a specification. A file that can't be opened is reported to `onFault` and retried later. */
  get(spec: HandlerSpec): Handler {
    const found = this.#handlers.get(spec);
    if (found !== undefined) return found;
    const opened = this.#open(spec);
    this.#handlers.set(spec, opened);
    return opened;
  }

  #open(spec: HandlerSpec): Handler {
    const { target, levelNumber } = spec;
    if (target.kind === "null") return { levelNumber, emit: () => {}, sink: undefined };
    const format = this.#lineFormatter(spec);
    const sink = JSON.stringify(target);
    const buffer = this.#sinks.get(sink) ?? this.#openSink(sink, target, format);
    this.#sinks.set(sink, buffer);
    const emit: Emit = (record) =>
      buffer.hasRoom ? buffer.push(format(record), record.createdMs) : buffer.drop();
    return { levelNumber, emit, sink };
  }

  #openSink(sink: string, spec: SinkSpec, format: Formatter): LineBuffer {
    const onFault = (text: string) => this.#options.onFault(sink, text);
    return new LineBuffer({
      target: this.#createTarget(spec, onFault),
      lossLine: (text) => format(this.#options.lossRecord(text)),
      onFault,
    });
  }

  /** The whole line of a handler: its formatter's text, and what its target adds to that. */
  #lineFormatter({ formatter, target }: HandlerSpec): Formatter {
    const format = this.#formatter(formatter);
    if (target.kind === "syslog")
      return (record) => priorityOf(record.level, target.facility) + format(record);
    const isPainted =
      target.kind === "stream" &&
      formatter.kind !== "json" &&
      this.#options.isColoured &&
      isatty(this.#options[target.stream]);
    return isPainted ? (record) => colour(record.level, format(record)) : format;
  }

  /** One formatter for equal specifications. It caches its last line: several handlers often write the same one. */
  #formatter(spec: FormatterSpec): Formatter {
    const key = JSON.stringify(spec);
    const found = this.#formatters.get(key);
    if (found !== undefined) return found;
    const format = spec.kind === "json" ? createJsonFormatter() : createFormatter(spec.format);
    let lastRecord: LogRecord | undefined;
    let lastLine = "";
    const formatter: Formatter = (record) => {
      if (record !== lastRecord) {
        lastLine = format(record);
        lastRecord = record;
      }
      return lastLine;
    };
    this.#formatters.set(key, formatter);
    return formatter;
  }

  #createTarget(spec: SinkSpec, onFault: (text: string) => void): Target {
    const { stdout, stderr, now, python } = this.#options;
    switch (spec.kind) {
      case "stream":
        return spec.stream === "stdout"
          ? createStreamTarget(stdout, "standard output")
          : createStreamTarget(stderr, "standard error");
      case "file":
        return createFileTarget(this.#openFile(spec.file, onFault), false);
      case "watched":
        return createFileTarget(this.#openFile(spec.file, onFault), true);
      case "size":
        return createSizeRotationTarget(this.#openFile(spec.file, onFault), { ...spec, onFault });
      case "time":
        return createTimeRotationTarget(this.#openFile(spec.file, onFault), {
          ...spec,
          nowMs: now(),
          onFault,
        });
      case "syslog": {
        const { address, socket } = spec;
        if (typeof address === "string")
          return createSyslogTarget(address, createSocketSender(address, socket ?? "any", python));
        const create = socket === "stream" ? createTcpSender : createUdpSender;
        return createSyslogTarget(`${address.host} port ${address.port}`, create(address.host, address.port));
      }
      default:
        return spec satisfies never;
    }
  }

  #openFile(spec: FileSpec, onFault: (text: string) => void): LogFile {
    const file = new LogFile(spec);
    try {
      if (this.#options.makesFolders) mkdirSync(dirname(file.path), { recursive: true });
      file.openNow();
    } catch (error) {
      onFault(`Cannot write the log ${file.path}: ${errorText(error)}`);
    }
    return file;
  }
}
