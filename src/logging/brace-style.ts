// Formats in the style of str.format: `{asctime} {levelname:<8} {message}`, by the rules of
// https://docs.python.org/3/library/string.html#format-string-syntax. Attributes of attributes (`{msg.x}`, `{args[0]}`)
// and fields inside a specification are not read.

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

const field = /\{\{|\}\}|\{([^{}!:]*)(?:!([^{}:]*))?(?::([^{}]*))?\}|[{}]/gs;
const specification =
  /^(?:(.)?([<>=^]))?([+ -])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([bcdefgnosxEFGX%])?$/su;

interface Spec {
  readonly fill: string;
  readonly align: string;
  readonly sign: string;
  readonly isAlternate: boolean;
  readonly width: number;
  readonly grouping: string | undefined;
  readonly precision: number | undefined;
  readonly type: string | undefined;
}

/** A function that writes a record by `format`. Throws TabPyError `config` for what Python would refuse. */
export function compileBraceStyle(format: string, timeText: TimeText): (record: LogRecord) => string {
  const pieces: (string | PlacedPiece)[] = [];
  let end = 0;
  let fields = 0;
  for (const match of format.matchAll(field)) {
    const [whole, name, conversion, spec = ""] = match;
    pieces.push(format.slice(end, match.index));
    end = match.index + whole.length;
    if (whole === "{{" || whole === "}}") {
      pieces.push(whole.slice(1));
      continue;
    }
    if (name === undefined) throw wrongFormat(`"{name}", or "{{" and "}}" for braces, got "${whole}"`);
    if (conversion !== undefined && !/^[rsa]$/.test(conversion))
      throw wrongFormat(`!r, !s or !a, got "!${conversion}"`);
    fields++;
    const attribute = attributeOf(name, timeText);
    pieces.push({ piece: compileField(name, attribute, conversion, spec), isOwn: attribute.isOwn });
  }
  pieces.push(format.slice(end));
  if (fields === 0) throw wrongFormat('at least one "{name}"');
  return joinPieces(pieces);
}

function compileField(
  name: string,
  attribute: Attribute,
  conversion: string | undefined,
  text: string,
): Piece {
  const isText = conversion !== undefined || attribute.kind === "text";
  const piece =
    conversion === "r" || conversion === "a"
      ? quotedText(attribute, conversion === "a")
      : plainText(attribute);
  if (text === "") return piece;
  const misfit = () => wrongFormat(`a specification that fits ${name}, got ":${text}"`);
  const spec = parseSpec(text, isText);
  if (spec === undefined) throw misfit();
  if (isText) {
    const isNumeric =
      spec.align === "=" || spec.sign !== "" || spec.isAlternate || spec.grouping !== undefined;
    if (isNumeric || !(spec.type === undefined || spec.type === "s")) throw misfit();
    return textField(piece, spec);
  }
  if (attribute.kind !== "integer" && attribute.kind !== "float") throw misfit();
  const isFloat = attribute.kind === "float";
  const wholeTypes = "bcdoxX";
  if (isFloat ? spec.type !== undefined && `${wholeTypes}s`.includes(spec.type) : spec.type === "s")
    throw misfit();
  const isWhole = !isFloat && (spec.type === undefined || `${wholeTypes}n`.includes(spec.type));
  if (isWhole && spec.precision !== undefined) throw misfit();
  if (spec.grouping === "," && spec.type !== undefined && "boxXc".includes(spec.type)) throw misfit();
  if (spec.grouping !== undefined && (spec.type === "n" || spec.type === "c")) throw misfit();
  return numberField(attribute.read, isFloat, spec);
}

function parseSpec(text: string, isText: boolean): Spec | undefined {
  const match = specification.exec(text);
  if (match === null) return undefined;
  const [, fill, align, sign = "", z, alternate, zero, width = "0", grouping, precision, type] = match;
  if (z !== undefined || Number(width) > 1000 || Number(precision ?? 0) > 1000) return undefined;
  const isZeroPadded = zero !== undefined && align === undefined;
  return {
    fill: fill ?? (zero === undefined ? " " : "0"),
    align: align ?? (isZeroPadded ? (isText ? "<" : "=") : isText ? "<" : ">"),
    sign,
    isAlternate: alternate !== undefined,
    width: Number(width),
    grouping,
    precision: precision === undefined ? undefined : Number(precision),
    type,
  };
}

function textField(piece: Piece, spec: Spec): Piece {
  const write = (text: string) =>
    aligned("", spec.precision === undefined ? text : firstOf(text, spec.precision), spec);
  return typeof piece === "string" ? write(piece) : (record) => write(piece(record));
}

function numberField(read: (record: LogRecord) => number, isFloat: boolean, spec: Spec): Piece {
  const isGeneral = spec.type === "n" && isFloat;
  const format = {
    type: isGeneral ? "g" : spec.type,
    precision: spec.precision,
    isAlternate: spec.isAlternate,
    grouping: spec.grouping,
  };
  return (record) => {
    const value = read(record);
    const sign = value < 0 ? "-" : spec.sign === "-" ? "" : spec.sign;
    const digits = digitsOf(value, isFloat, format);
    if (spec.type === "c") return aligned("", digits, spec);
    if (spec.fill === "0" && spec.align === "=" && spec.grouping !== undefined)
      return sign + groupedPadding(digits, spec.width - sign.length, spec);
    const prefix = spec.isAlternate && /[boxX]/.test(spec.type ?? "") ? digits.slice(0, 2) : "";
    return aligned(sign + prefix, digits.slice(prefix.length), spec);
  };
}

/** Zeros in front of grouped digits are grouped too. */
function groupedPadding(digits: string, width: number, spec: Spec): string {
  const size = /[boxX]/.test(spec.type ?? "") ? 4 : 3;
  const [, prefix = "", whole = "", rest = ""] = /^(0[xXob])?([0-9a-fA-F,_]+)(.*)$/.exec(digits) ?? [];
  let plain = whole.replaceAll(spec.grouping ?? "", "");
  const group = (text: string) =>
    text.replace(new RegExp(`\\B(?=([0-9a-fA-F]{${size}})+$)`, "g"), spec.grouping ?? "");
  while (prefix.length + group(plain).length + rest.length < width) plain = `0${plain}`;
  return prefix + group(plain) + rest;
}

function aligned(head: string, text: string, spec: Spec): string {
  const missing = spec.width - lengthOf(head) - lengthOf(text);
  if (missing <= 0) return head + text;
  const { fill } = spec;
  switch (spec.align) {
    case "<":
      return head + text + fill.repeat(missing);
    case "^": {
      const left = Math.floor(missing / 2);
      return fill.repeat(left) + head + text + fill.repeat(missing - left);
    }
    case "=":
      return head + fill.repeat(missing) + text;
    default:
      return fill.repeat(missing) + head + text;
  }
}
