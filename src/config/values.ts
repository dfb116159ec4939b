// From the text of a value to what the program uses, by the kind of its setting. Booleans read as Python's
// configparser.getboolean does, numbers as Python's int() and float() do, but for underscores.

import type { Kind } from "./settings.ts";

export type Value = string | number | boolean;

const trueWords = new Set(["1", "yes", "true", "on"]);
const falseWords = new Set(["0", "no", "false", "off"]);
const integer = /^[+-]?\d+$/;
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** The value that `text` stands for, or undefined when it is none of this kind. */
export function parseValue(type: Kind, text: string): Value | undefined {
  const trimmed = text.trim();
  switch (type.kind) {
    case "text":
    case "path":
      return trimmed;
    case "secret":
      return text; // it may begin or end with a space
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
