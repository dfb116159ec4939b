// Formatters: from a record to the text of its line. Python's, with a format, a date format and a style, and one of
// our own that writes JSON. config/sections.ts reads which handler uses which.

import { TabPyError } from "../../errors.ts";
import type { Fault, FormatSpec } from "../spec.ts";
import { compileBraceStyle } from "./brace.ts";
import { compilePercentStyle } from "./percent.ts";
import type { LogRecord } from "./record.ts";
import { compileStrftime } from "./strftime.ts";
import { compileDollarStyle } from "./template.ts";

/** Writes a record as one line, without line end; a message of several lines continues in indented ones. */
export type Formatter = (record: LogRecord) => string;

const compilers = {
  "%": [compilePercentStyle, "%(message)s"],
  "{": [compileBraceStyle, "{message}"],
  $: [compileDollarStyle, "${" + "message}"],
} as const;

/** logging.Formatter. Throws the error of `fault` for an option that Python would refuse, or that isn't supported. */
export function createFormatter(
  spec: FormatSpec,
  fault: (option: "format" | "datefmt", wanted: string) => Error = (option, wanted) =>
    new TabPyError("config", `Cannot use ${option}: expected ${wanted}`),
): Formatter {
  const [compile, messageOnly] = compilers[spec.style];
  const timeText = createTimeText(spec.datefmt, (wanted) => fault("datefmt", wanted));
  return compile(spec.format || messageOnly, { timeText, fault: (wanted) => fault("format", wanted) });
}

/** `asctime` of milliseconds since 1970. Caches the text of the last second, in which the next record often falls. */
function createTimeText(datefmt: string | undefined, fault: Fault): (createdMs: number) => string {
  const write = compileStrftime(datefmt || "%Y-%m-%d %H:%M:%S", fault);
  let lastSecond = Number.NaN;
  let lastText = "";
  const ofSecond = (createdMs: number) => {
    const second = Math.floor(createdMs / 1000);
    if (second !== lastSecond) {
      lastSecond = second;
      lastText = write(new Date(second * 1000));
    }
    return lastText;
  };
  return datefmt ? ofSecond : (createdMs) => `${ofSecond(createdMs)},${milliseconds(createdMs)}`;
}

/**
 * One JSON object a line: `time` (ISO 8601 with the offset of the local zone), `level`, `logger`, `file`, `message`,
 * and `call_id` where the record belongs to a request.
 */
export function createJsonFormatter(): Formatter {
  const fault = (wanted: string) => new Error(wanted);
  const zone = createTimeText("%z", fault);
  const second = createTimeText("%Y-%m-%dT%H:%M:%S", fault);
  return (record) => {
    const { createdMs, level, name, file, text, callId } = record;
    const offset = zone(createdMs).replace(/(\d\d)$/, ":$1");
    const time = `${second(createdMs)}.${milliseconds(createdMs)}${offset}`;
    return safeJson({ time, level, logger: name, file, message: text, call_id: callId });
  };
}

function milliseconds(createdMs: number): string {
  return String(Math.floor(createdMs % 1000)).padStart(3, "0");
}

/** JSON.stringify escapes only the control characters below U+0020; others end lines or control terminals too. */
function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
