// Formats in printf style: `%(levelname)-8s %(message)s`, by the rules of
// https://docs.python.org/3/library/stdtypes.html#printf-style-string-formatting.

import type { Fault } from "../spec.ts";
import { digitsOf } from "./python-number.ts";
import type { Attribute, LogRecord } from "./record.ts";
import { aligned, attributeOf, type Compiling, compileFormat, firstOf, mapPiece } from "./template.ts";
import { type Piece, textOf, type Write } from "./template.ts";

const field = /%(?:%|\(((?:[^()]|\([^()]*\))*)\)([#0 +-]*)(\d*)(?:\.(\d*))?[hlL]?(.)?)?/gsu;

interface Spec {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly type: string;
}

/** A function that writes a record by `format`. */
export function compilePercentStyle(format: string, compiling: Compiling): Write {
  const { fault } = compiling;
  const read = ([whole, name, flags = "", widthText, precisionText, type]: RegExpExecArray) => {
    if (whole === "%%") return "%";
    if (name === undefined || type === undefined || !"diouxXeEfFgGcrsa%".includes(type))
      throw fault(`"%(name)s", or "%%" for a percent sign, got ${JSON.stringify(whole)}`);
    const width = Number(widthText);
    const precision = precisionText === undefined ? undefined : Number(precisionText);
    if (width > 1000 || (precision ?? 0) > 1000) throw fault("widths up to 1000");
    const attribute = attributeOf(name, compiling);
    const spec = { flags, width, precision, type };
    return {
      piece: type === "%" ? "%" : compileField(name, attribute, spec, fault),
      isOwn: attribute.isOwn,
    };
  };
  return compileFormat(format, field, read, "%(name)s", fault);
}

function compileField(name: string, attribute: Attribute, spec: Spec, fault: Fault): Piece {
  const { type } = spec;
  if ("sra".includes(type)) return padded(textOf(attribute, type), spec);
  const isNumber = attribute.kind === "integer" || attribute.kind === "float";
  if (!isNumber || ("oxXc".includes(type) && attribute.kind !== "integer"))
    throw fault(`a conversion that fits ${name}, got "%${type}"`);
  if (type === "c") return padded((record) => String.fromCodePoint(attribute.read(record)), spec);
  return numberField(attribute.read, spec);
}

function numberField(read: (record: LogRecord) => number, spec: Spec): Write {
  const { flags, width } = spec;
  const type = "iu".includes(spec.type) ? "d" : spec.type;
  const isWhole = "doxX".includes(type);
  const format = {
    type,
    precision: isWhole ? undefined : spec.precision,
    isAlternate: flags.includes("#"),
  };
  return (record) => {
    const value = read(record);
    let digits = digitsOf(value, format);
    const prefix = isWhole && format.isAlternate && type !== "d" ? digits.slice(0, 2) : "";
    if (isWhole && spec.precision !== undefined)
      digits = prefix + digits.slice(prefix.length).padStart(spec.precision, "0");
    const sign = value < 0 ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
    if (flags.includes("-")) return (sign + digits).padEnd(width);
    if (!flags.includes("0")) return (sign + digits).padStart(width);
    const head = sign + prefix;
    return head + digits.slice(prefix.length).padStart(width - head.length, "0");
  };
}

function padded(piece: Piece, { width, precision, flags }: Spec): Piece {
  if (width === 0 && precision === undefined) return piece;
  const padding = { fill: " ", align: flags.includes("-") ? "<" : ">", width };
  return mapPiece(piece, (text) => aligned(firstOf(text, precision), padding));
}
