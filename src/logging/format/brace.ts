// Formats in the style of str.format: `{asctime} {levelname:<8} {message}`, the part of
// https://docs.python.org/3/library/string.html#format-string-syntax that logs use: !r, fill, alignment, width, precision
// and the types s, d and f. Anything else is an error that names it.

import type { Fault } from "../spec.ts";
import { digitsOf } from "./python-number.ts";
import type { Attribute } from "./record.ts";
import { aligned, attributeOf, type Compiling, compileFormat, firstOf, mapPiece } from "./template.ts";
import { type Piece, textOf, type Write } from "./template.ts";

const field = /\{\{|\}\}|\{([^{}!:]*)(?:!([^{}:]*))?(?::([^{}]*))?\}|[{}]/gs;
const specification = /^(?:(.)?([<>^]))?(0)?(\d{0,3})(?:\.(\d{1,2}))?([sdf])?$/su;

/** A function that writes a record by `format`. */
export function compileBraceStyle(format: string, compiling: Compiling): Write {
  const { fault } = compiling;
  const read = ([whole, name, conversion, spec = ""]: RegExpExecArray) => {
    if (whole === "{{" || whole === "}}") return whole.slice(1);
    if (name === undefined) throw fault(`"{name}", or "{{" and "}}" for braces, got "${whole}"`);
    if (conversion !== undefined && conversion !== "r" && conversion !== "s")
      throw fault(`!r or !s (others are not supported), got "!${conversion}"`);
    const attribute = attributeOf(name, compiling);
    return { piece: compileField(name, attribute, conversion, spec, fault), isOwn: attribute.isOwn };
  };
  return compileFormat(format, field, read, "{name}", fault);
}

function compileField(
  name: string,
  attribute: Attribute,
  conversion: string | undefined,
  spec: string,
  fault: Fault,
): Piece {
  const text = textOf(attribute, conversion);
  if (spec === "") return text;
  const match = specification.exec(spec);
  if (match === null)
    throw fault(`fill, <, > or ^, width, precision, s, d or f (others are not supported), got ":${spec}"`);
  const [, fill, align, zero, width, digits, type] = match;
  const misfit = () => fault(`a specification that fits ${name}, got ":${spec}"`);
  const precision = digits === undefined ? undefined : Number(digits);
  const isText = conversion !== undefined || attribute.kind === "text";
  const padding = {
    fill: fill ?? zero ?? " ",
    align: align ?? (isText ? "<" : zero === undefined ? ">" : "="),
    width: Number(width),
  };
  if (isText) {
    if (type === "d" || type === "f") throw misfit();
    return mapPiece(text, (whole) => aligned(firstOf(whole, precision), padding));
  }
  if (attribute.kind !== "integer" && attribute.kind !== "float") throw misfit();
  if (type === "s" || (type === "d" && attribute.kind === "float")) throw misfit();
  if (type !== "f") {
    if (precision !== undefined) throw fault(`a precision with f (others are not supported), got ":${spec}"`);
    return mapPiece(text, (whole) => aligned(whole, padding));
  }
  const { read } = attribute;
  return (record) => {
    const value = read(record);
    return aligned(
      (value < 0 ? "-" : "") + digitsOf(value, { type, precision, isAlternate: false }),
      padding,
    );
  };
}
