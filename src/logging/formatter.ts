// Formatters: a record to the text of its line. Python's, with a format, a date format and a style, and one of our
// own that writes JSON. Which handler has which is sections.ts's affair.

import { compileBraceStyle } from "./brace-style.ts";
import { compileDollarStyle } from "./dollar-style.ts";
import { compilePercentStyle } from "./percent-style.ts";
import type { LogRecord } from "./record.ts";
import { compileStrftime } from "./strftime.ts";
import type { TimeText } from "./style.ts";
import type { ZoneName } from "./time-zone.ts";

/** Writes a record as one line, without line end; a message of several lines goes on in indented ones. */
export type Formatter = (record: LogRecord) => string;

export type Style = "%" | "{" | "$";

export interface FormatSpec {
  /** Empty or undefined: the message alone. */
  readonly format: string | undefined;
  /** For time.strftime; empty or undefined: `2026-01-31 12:00:00,123`. */
  readonly datefmt: string | undefined;
  readonly style: Style;
}

const compilers = {
  "%": [compilePercentStyle, "%(message)s"],
  "{": [compileBraceStyle, "{message}"],
  $: [compileDollarStyle, "${" + "message}"],
} as const;

/** logging.Formatter. Throws TabPyError `config` for a format that Python would refuse. */
export function createFormatter(spec: FormatSpec, zoneName: ZoneName): Formatter {
  const [compile, messageOnly] = compilers[spec.style];
  return compile(spec.format || messageOnly, createTimeText(spec.datefmt, zoneName));
}

/** What `asctime` is; the text of a second is kept, as most records fall into the second of the one before. */
export function createTimeText(datefmt: string | undefined, zoneName: ZoneName): TimeText {
  const write = compileStrftime(datefmt || "%Y-%m-%d %H:%M:%S", zoneName);
  let keptSecond = Number.NaN;
  let kept = "";
  const ofSecond = (createdMs: number) => {
    const second = Math.floor(createdMs / 1000);
    if (second !== keptSecond) {
      keptSecond = second;
      kept = write(new Date(second * 1000));
    }
    return kept;
  };
  if (datefmt) return ofSecond;
  return (createdMs) => `${ofSecond(createdMs)},${String(Math.floor(createdMs % 1000)).padStart(3, "0")}`;
}

/**
 * One JSON object a line: `time` (ISO 8601 with the offset of the local zone), `level`, `logger`, `file`, `message`,
 * and `call_id` where the record is about a request.
 */
export function createJsonFormatter(): Formatter {
  const zone = createTimeText("%z", () => "");
  const second = createTimeText("%Y-%m-%dT%H:%M:%S", () => "");
  return (record) => {
    const { createdMs, level, name, file, said, callId } = record;
    const milliseconds = String(Math.floor(createdMs % 1000)).padStart(3, "0");
    const offset = zone(createdMs).replace(/(\d\d)$/, ":$1");
    const time = `${second(createdMs)}.${milliseconds}${offset}`;
    return safeJson({ time, level, logger: name, file, message: said, call_id: callId });
  };
}

/** JSON escapes the control characters below U+0020 itself; the others that end lines or steer terminals follow. */
function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
