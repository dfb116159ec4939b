// Parses the text of a value by the type of its setting: booleans as Python's configparser.getboolean does, numbers as
// int() and float() do, except that underscores are refused.

import type { Kind } from "./settings.ts";

export type Value = string | number | boolean;

const trueWords = new Set(["1", "yes", "true", "on"]);
const falseWords = new Set(["0", "no", "false", "off"]);
const integer = /^[+-]?\d+$/;
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** The value that `text` means, or undefined when it doesn't have the form of this type or is out of bounds. */
export function parseValue(type: Kind, text: string): Value | undefined {
  const trimmed = text.trim();
  switch (type.kind) {
    case "text":
    case "path":
      return trimmed;
    case "secret":
      return text; // leading and trailing spaces are part of it
    case "boolean": {
      const word = trimmed.toLowerCase();
      if (trueWords.has(word)) return true;
      return falseWords.has(word) ? false : undefined;
    }
    case "choice":
      return type.choices.find((choice) => choice === trimmed.toLowerCase());
    case "integer":
      return integer.test(trimmed) ? within(Number(trimmed), type) : undefined;
    case "number":
      return decimal.test(trimmed) ? within(Number(trimmed), type) : undefined;
    default:
      return type satisfies never;
  }
}

function within(value: number, bounds: { readonly min: number; readonly max: number }): number | undefined {
  return value >= bounds.min && value <= bounds.max ? value : undefined;
}

/** A number as Python prints a float: 3 is "3.0". */
export function pythonFloatText(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
