// What the three styles of format strings share, and the shortest of them, string.Template's `${asctime} $message`. A
// format is compiled once, when the config file is read: formatting a line is then fast, and a mistake prevents the
// start. Python reports it only at the first line, and drops every line. percent.ts and brace.ts have the other
// styles.

import type { Fault } from "../spec.ts";
import { floatText } from "./python-number.ts";
import { type Attribute, attributes, type LogRecord } from "./record.ts";
import { pythonEscape } from "./safe-text.ts";

/** Writes a record, or a piece of it. */
export type Write = (record: LogRecord) => string;
export type Piece = string | Write;

/** A field of a format. `isOwn`: its text differs from record to record. */
export interface Field {
  readonly piece: Piece;
  readonly isOwn: boolean;
}

export interface Compiling {
  /** The text of `asctime`, for milliseconds since 1970. */
  readonly timeText: (createdMs: number) => string;
  /** For what Python would refuse. */
  readonly fault: Fault;
}

/**
 * Compile a format.
 *
 * @param pattern matches fields and escapes.
 * @param read gives the field of a match, or the text of an escape.
 * @param example a field in this style, for the error when there is none.
 */
export function compileFormat(
  format: string,
  pattern: RegExp,
  read: (match: RegExpExecArray) => string | Field,
  example: string,
  fault: Fault,
): Write {
  const pieces: (string | Field)[] = [];
  let end = 0;
  for (const match of format.matchAll(pattern)) {
    pieces.push(format.slice(end, match.index), read(match));
    end = match.index + match[0].length;
  }
  pieces.push(format.slice(end));
  if (pieces.every((piece) => typeof piece === "string")) throw fault(`at least one "${example}"`);
  return joinPieces(pieces);
}

const dollarField = /\$(?:(\$)|([_a-z][_a-z0-9]*)|\{([_a-z][_a-z0-9]*)\})?/gi;

/** https://docs.python.org/3/library/string.html#template-strings */
export function compileDollarStyle(format: string, compiling: Compiling): Write {
  const read = ([, escaped, plain, braced]: RegExpExecArray) => {
    if (escaped !== undefined) return "$";
    const name = plain ?? braced;
    if (name === undefined) throw compiling.fault('"$name", or "$$" for a dollar sign, got "$"');
    const attribute = attributeOf(name, compiling);
    return { piece: textOf(attribute), isOwn: attribute.isOwn };
  };
  return compileFormat(format, dollarField, read, "$name", compiling.fault);
}

/** An attribute by the name that a format uses, `asctime` included. */
export function attributeOf(name: string, { timeText, fault }: Compiling): Attribute {
  if (name === "asctime") return { kind: "text", read: (record) => timeText(record.createdMs), isOwn: true };
  const found = attributes.get(name);
  if (found !== undefined) return found;
  throw fault(`attributes of Python's LogRecord, got ${JSON.stringify(name)}`);
}

/** `str()` of an attribute, or `repr()` or `ascii()`, as the conversions s, r and a have it. */
export function textOf(attribute: Attribute, conversion = "s"): Piece {
  switch (attribute.kind) {
    case "text":
      if (conversion === "s") return attribute.read;
      return (record) => quoted(attribute.read(record), conversion === "a");
    case "integer":
      return (record) => String(attribute.read(record));
    case "float":
      return (record) => floatText(attribute.read(record));
    case "none":
      return "None";
    case "tuple":
      return "()";
    default:
      return attribute satisfies never;
  }
}

function quoted(text: string, isAscii: boolean): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const shown = text.replace(/[\\'"\n\r\t]|[^\x20-\x7e]/gu, (char) => {
    const plain = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
    if (plain !== undefined) return plain;
    if (char === "'" || char === '"') return char === quote ? `\\${char}` : char;
    const isPrintable = !/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(char);
    return isPrintable && !isAscii ? char : pythonEscape(char);
  });
  return `${quote}${shown}${quote}`;
}

/** `write` on the text of a piece, only once when it is the same for every record. */
export function mapPiece(piece: Piece, write: (text: string) => string): Piece {
  return typeof piece === "string" ? write(piece) : (record) => write(piece(record));
}

/** One function for a whole line. The text between the fields that differ from record to record is cached. */
function joinPieces(pieces: readonly (string | Field)[]): Write {
  const merged: Write[] = [];
  let shared: Piece[] = [];
  const closeShared = () => {
    if (shared.length > 0) merged.push(cached(shared));
    shared = [];
  };
  for (const part of pieces) {
    if (typeof part === "string" || typeof part.piece === "string" || !part.isOwn) {
      shared.push(typeof part === "string" ? part : part.piece);
    } else {
      closeShared();
      merged.push(part.piece);
    }
  }
  closeShared();
  return (record) => {
    let line = "";
    for (const write of merged) line += write(record);
    return line;
  };
}

/** The text of pieces, written once per level, logger and file: the program has few of each. */
function cached(pieces: readonly Piece[]): Write {
  const write: Write = (record) =>
    pieces.map((piece) => (typeof piece === "string" ? piece : piece(record))).join("");
  if (pieces.every((piece) => typeof piece === "string")) {
    const text = pieces.join("");
    return () => text;
  }
  const byName = new Map<string, { level: string; file: string; text: string }[]>();
  return (record) => {
    const { level, name, file } = record;
    const entries = byName.get(name);
    const found = entries?.find((entry) => entry.file === file && entry.level === level);
    if (found !== undefined) return found.text;
    const text = write(record);
    if (entries === undefined) byName.set(name, [{ level, file, text }]);
    else entries.push({ level, file, text });
    return text;
  };
}

export interface Padding {
  readonly fill: string;
  /** `=`: between the sign and the digits. */
  readonly align: string;
  readonly width: number;
}

/** The text with padding up to a width. */
export function aligned(text: string, { fill, align, width }: Padding): string {
  const missing = width - lengthOf(text);
  if (missing <= 0) return text;
  const left = align === "<" ? 0 : align === "^" ? Math.floor(missing / 2) : missing;
  const sign = align === "=" && text.startsWith("-") ? "-" : "";
  return sign + fill.repeat(left) + text.slice(sign.length) + fill.repeat(missing - left);
}

/** How many characters Python counts: one for each code point. */
function lengthOf(text: string): number {
  let length = text.length;
  for (let at = 0; at < text.length; at++) if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) length--;
  return length;
}

/** The first `count` code points; all of them when it is undefined. */
export function firstOf(text: string, count: number | undefined): string {
  return count === undefined || lengthOf(text) <= count ? text : Array.from(text).slice(0, count).join("");
}
