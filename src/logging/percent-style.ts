// Formats in Python's printf style: `%(levelname)-8s %(message)s`, by the rules of
// https://docs.python.org/3/library/stdtypes.html#printf-style-string-formatting. Compiled by style.ts's pieces.

import { digitsOf } from "./number-text.ts";
import type { Attribute, LogRecord } from "./record.ts";
import {
  attributeOf,
  firstOf,
  joinPieces,
  lengthOf,
  type Piece,
  type PlacedPiece,
  plainText,
  quotedText,
  type TimeText,
  wrongFormat,
} from "./style.ts";

const field = /%(?:%|\(((?:[^()]|\([^()]*\))*)\)([#0 +-]*)(\d*)(?:\.(\d*))?[hlL]?(.)?)?/gsu;

interface Spec {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly type: string;
}

/** A function that writes a record by `format`. Throws TabPyError `config` for what Python would refuse. */
export function compilePercentStyle(format: string, timeText: TimeText): (record: LogRecord) => string {
  const pieces: (string | PlacedPiece)[] = [];
  let end = 0;
  let fields = 0;
  for (const match of format.matchAll(field)) {
    const [whole, name, flags = "", width = "", precision, type] = match;
    pieces.push(format.slice(end, match.index));
    end = match.index + whole.length;
    if (whole === "%%") {
      pieces.push("%");
      continue;
    }
    if (name === undefined || type === undefined || !"diouxXeEfFgGcrsa%".includes(type)) {
      throw wrongFormat(`"%(name)s", or "%%" for a percent sign, got ${JSON.stringify(whole)}`);
    }
    fields++;
    const spec = {
      flags,
      width: Number(width),
      precision: precision === undefined ? undefined : Number(precision),
      type,
    };
    if (spec.width > 1000 || (spec.precision ?? 0) > 1000) throw wrongFormat("widths up to 1000");
    const attribute = attributeOf(name, timeText);
    const piece = type === "%" ? "%" : compileField(name, attribute, spec);
    pieces.push({ piece, isOwn: attribute.isOwn });
  }
  pieces.push(format.slice(end));
  if (fields === 0) throw wrongFormat(`at least one "%(name)s"`);
  return joinPieces(pieces);
}

function compileField(name: string, attribute: Attribute, spec: Spec): Piece {
  const { type } = spec;
  if (type === "s") return padded(plainText(attribute), spec);
  if (type === "r" || type === "a") return padded(quotedText(attribute, type === "a"), spec);
  const isNumber = attribute.kind === "integer" || attribute.kind === "float";
  const isInteger = attribute.kind === "integer";
  if (!isNumber || ("oxXc".includes(type) && !isInteger)) {
    throw wrongFormat(`a conversion that fits ${name}, got "%${type}"`);
  }
  if (type === "c") return padded((record) => String.fromCodePoint(attribute.read(record)), spec);
  return numberField(attribute.read, attribute.kind === "float", spec);
}

function numberField(read: (record: LogRecord) => number, isFloat: boolean, spec: Spec): Piece {
  const type = "iu".includes(spec.type) ? "d" : spec.type;
  const isWhole = "doxX".includes(type);
  const format = {
    type,
    precision: isWhole ? undefined : spec.precision,
    isAlternate: spec.flags.includes("#"),
    grouping: undefined,
  };
  if (
    type === "d" &&
    !/[+ ]/.test(spec.flags) &&
    spec.width === 0 &&
    spec.precision === undefined &&
    !isFloat
  )
    return (record) => String(read(record));
  return (record) => {
    const value = read(record);
    let digits = digitsOf(value, isFloat, format);
    const prefix = isWhole && format.isAlternate && type !== "d" ? digits.slice(0, 2) : "";
    if (isWhole && spec.precision !== undefined)
      digits = prefix + digits.slice(prefix.length).padStart(spec.precision, "0");
    const sign = value < 0 ? "-" : spec.flags.includes("+") ? "+" : spec.flags.includes(" ") ? " " : "";
    if (spec.flags.includes("-")) return (sign + digits).padEnd(spec.width);
    if (!spec.flags.includes("0")) return (sign + digits).padStart(spec.width);
    const head = sign + prefix;
    return head + digits.slice(prefix.length).padStart(spec.width - head.length, "0");
  };
}

function padded(piece: Piece, spec: Spec): Piece {
  const { width, precision } = spec;
  if (width === 0 && precision === undefined) return piece;
  const isLeft = spec.flags.includes("-");
  const pad = (text: string) => {
    const cut = precision === undefined ? text : firstOf(text, precision);
    const missing = width - lengthOf(cut);
    if (missing <= 0) return cut;
    return isLeft ? cut + " ".repeat(missing) : " ".repeat(missing) + cut;
  };
  return typeof piece === "string" ? pad(piece) : (record) => pad(piece(record));
}
