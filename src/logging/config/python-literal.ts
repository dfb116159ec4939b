// Reads the Python literals of `args` and `kwargs` in a config file: strings, numbers, names, tuples, lists and
// dictionaries. Nothing is evaluated: arguments.ts decides what a name means. Any other syntax of
// https://docs.python.org/3/reference/lexical_analysis.html is an error that names it.

import { TabPyError } from "../../errors.ts";
import type { Fault } from "../spec.ts";

export type Literal =
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "integer" | "float"; readonly value: number }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "none" }
  /** Dotted: `sys.stdout`. */
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "tuple" | "list"; readonly items: readonly Literal[] }
  | { readonly kind: "dict"; readonly entries: readonly (readonly [key: Literal, value: Literal])[] };

const blank = /(?:\s|\\\r?\n|#[^\n]*)*/y;
const tripleQuote = /[a-zA-Z]?(?:'''|""")/y;
const string = /([rRuU]?)(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")/sy;
const otherPrefix = /[a-zA-Z]+(?=['"])/y;
const number =
  /(?:0[xX][0-9a-fA-F]+|(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|0|[1-9]\d*)(?![\w.])/y;
const name = /[\p{L}_][\p{L}\p{N}_]*(?:\s*\.\s*[\p{L}_][\p{L}\p{N}_]*)*/uy;
const escaped = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(\r\n|.))/gs;
const escapes: Readonly<Record<string, string>> = {
  ...{ "\n": "", "\r\n": "", "\\": "\\", "'": "'", '"': '"' },
  ...{ a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" },
};
const maxDepth = 50;

/** The value of a literal. Throws the error of `fault`, with what was expected and where. */
export function parseLiteral(
  source: string,
  fault: Fault = (wanted) => new TabPyError("config", `expected ${wanted}`),
): Literal {
  let at = 0;
  const expected = (wanted: string) => {
    const rest = source.slice(at, at + 30);
    return fault(`${wanted} at ${rest === "" ? "the end" : JSON.stringify(rest)}`);
  };
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(source);
  };
  const take = (pattern: RegExp): string | undefined => {
    const found = match(pattern)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  /** The next character that isn't blank; undefined at the end. */
  const peek = (): string | undefined => {
    take(blank);
    return source[at];
  };
  const skip = (mark: string | undefined): boolean => {
    if (peek() !== mark) return false;
    at++;
    return true;
  };

  /** Items up to `close`, which is undefined for the end of the source, and whether a comma follows the last one. */
  const list = <T>(close: string | undefined, read: () => T): { items: T[]; hasComma: boolean } => {
    const items: T[] = [];
    let hasComma = false;
    while (!skip(close)) {
      items.push(read());
      hasComma = skip(",");
      if (hasComma || peek() === close) continue;
      const wanted = close === undefined ? "the end" : `"," or "${close}"`;
      throw expected(wanted + (/[-+*/%]/.test(source[at] ?? "") ? " (operators are not supported)" : ""));
    }
    return { items, hasComma };
  };

  /** A tuple, or its only item when no comma follows it: `(1)` is 1. */
  const tuple = (close: string | undefined, depth: number): Literal => {
    const { items, hasComma } = list(close, () => value(depth));
    const [first] = items;
    return first !== undefined && items.length === 1 && !hasComma ? first : { kind: "tuple", items };
  };

  /** Adjacent strings, joined. Undefined when there is none. */
  const strings = (): string | undefined => {
    let whole: string | undefined;
    for (peek(); ; peek()) {
      if (match(tripleQuote)) throw expected("a string in single quotes (triple quotes are not supported)");
      const found = match(string);
      if (found === null) return whole;
      const [{ length }, prefix = "", single, double] = found;
      const raw = single ?? double ?? "";
      whole = (whole ?? "") + (/r/i.test(prefix) ? raw : raw.replace(escaped, unescaped));
      at += length;
    }
  };
  const unescaped = (whole: string, two?: string, four?: string, char = ""): string => {
    const hex = two ?? four;
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (/[\dxuUN]/.test(char))
      throw expected("escapes such as \\n, \\xff and \\uffff (no octal, \\U and \\N)");
    return escapes[char] ?? whole;
  };

  const value = (depth: number): Literal => {
    if (depth > maxDepth) throw expected(`values at most ${maxDepth} deep`);
    const mark = peek();
    if (skip("(")) return tuple(")", depth + 1);
    if (skip("[")) return { kind: "list", items: list("]", () => value(depth + 1)).items };
    if (skip("{")) {
      const { items } = list("}", () => {
        const key = value(depth + 1);
        if (!skip(":")) throw expected('":"');
        return [key, value(depth + 1)] as const;
      });
      return { kind: "dict", entries: items };
    }
    if (skip("-") || skip("+")) {
      const signed = value(depth + 1);
      if (signed.kind !== "integer" && signed.kind !== "float") throw expected("a number");
      return mark === "-" ? { ...signed, value: -signed.value } : signed;
    }
    return scalar(mark ?? "");
  };

  const scalar = (mark: string): Literal => {
    const text = strings();
    if (text !== undefined) return { kind: "text", value: text };
    if (mark === "'" || mark === '"') throw expected(`a closing ${mark}`);
    const digits = take(number);
    if (digits !== undefined)
      return { kind: /^(0[xX].*|\d+)$/.test(digits) ? "integer" : "float", value: Number(digits) };
    if (/[\d.]/.test(mark)) throw expected("a number such as 10, 1.5 or 0x1f (no _, octal and binary)");
    const found = match(otherPrefix) === null ? take(name)?.replace(/\s/g, "") : undefined;
    if (found === undefined) throw expected("a Python literal");
    if (found === "None") return { kind: "none" };
    if (found === "True" || found === "False") return { kind: "boolean", value: found === "True" };
    return { kind: "name", name: found };
  };

  if (peek() === undefined) throw expected("a Python literal");
  return tuple(undefined, 0);
}
