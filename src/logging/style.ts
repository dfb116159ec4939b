// What the three styles of format strings share: a format is compiled once, when the config file is read, so that a
// line costs little and a mistake shows at start. Python finds it with the first line, and drops every line.

import { TabPyError } from "../errors.ts";
import { floatText } from "./number-text.ts";
import { type Attribute, attributes, type LogRecord } from "./record.ts";

/** Makes the text of `asctime`. */
export type TimeText = (createdMs: number) => string;

/** Writes one piece of a line. */
export type Piece = string | ((record: LogRecord) => string);

/** A piece, and whether each record has its own. */
export interface PlacedPiece {
  readonly piece: Piece;
  readonly isOwn: boolean;
}

/** An attribute that a format may name, `asctime` included. Throws TabPyError `config` for another name. */
export function attributeOf(name: string, timeText: TimeText): Attribute {
  if (name === "asctime") return { kind: "text", read: (record) => timeText(record.createdMs), isOwn: true };
  const found = attributes.get(name);
  if (found !== undefined) return found;
  throw wrongFormat(`attributes of Python's LogRecord, got ${JSON.stringify(name)}`);
}

/** `str()` of an attribute. */
export function plainText(attribute: Attribute): Piece {
  switch (attribute.kind) {
    case "text":
      return attribute.read;
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

/** `repr()` of an attribute, or `ascii()`. */
export function quotedText(attribute: Attribute, isAscii: boolean): Piece {
  if (attribute.kind !== "text") return plainText(attribute);
  return (record) => quoted(attribute.read(record), isAscii);
}

/** A text as Python's repr shows it. */
function quoted(text: string, isAscii: boolean): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const shown = text.replace(/[\\'"\n\r\t]|[^\x20-\x7e]/gu, (char) => {
    const plain = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
    if (plain !== undefined) return plain;
    if (char === "'" || char === '"') return char === quote ? `\\${char}` : char;
    if (!isAscii && !/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(char)) return char;
    const code = char.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
  return `${quote}${shown}${quote}`;
}

/** One function for a whole line. What lies between the pieces that each record has for its own is remembered. */
export function joinPieces(pieces: readonly (string | PlacedPiece)[]): (record: LogRecord) => string {
  const merged: ((record: LogRecord) => string)[] = [];
  let shared: Piece[] = [];
  const closeShared = () => {
    if (shared.length > 0) merged.push(remembered(shared));
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

/** The text of pieces, made once for each level, logger and file: these are the program's own, and few. */
function remembered(pieces: readonly Piece[]): (record: LogRecord) => string {
  const write = (record: LogRecord) =>
    pieces.map((piece) => (typeof piece === "string" ? piece : piece(record))).join("");
  if (pieces.every((piece) => typeof piece === "string")) {
    const text = pieces.join("");
    return () => text;
  }
  const kept = new Map<string, { level: string; file: string; text: string }[]>();
  return (record) => {
    const { level, name, file } = record;
    const entries = kept.get(name);
    const found = entries?.find((entry) => entry.file === file && entry.level === level);
    if (found !== undefined) return found.text;
    const text = write(record);
    if (entries === undefined) kept.set(name, [{ level, file, text }]);
    else entries.push({ level, file, text });
    return text;
  };
}

/** How many characters Python counts: one for each code point. */
export function lengthOf(text: string): number {
  let length = text.length;
  for (let at = 0; at < text.length; at++) if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) length--;
  return length;
}

/** The first `count` code points. */
export function firstOf(text: string, count: number): string {
  return lengthOf(text) <= count ? text : Array.from(text).slice(0, count).join("");
}

export function wrongFormat(wanted: string): TabPyError {
  return new TabPyError("config", `expected ${wanted}`);
}
