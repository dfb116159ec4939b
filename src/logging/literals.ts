// Reads the Python literals of `args` and `kwargs` in a config file. Nothing is evaluated: names stay names, and what
// they stand for is arguments.ts's affair. The rules are https://docs.python.org/3/reference/lexical_analysis.html;
// bytes, f-strings, sets and comprehensions are not read, products of numbers (10 * 1024 * 1024) are.

import { TabPyError } from "../errors.ts";

export type Literal =
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "integer" | "float"; readonly value: number }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "none" }
  /** Dotted: `sys.stdout`. */
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "tuple" | "list"; readonly items: readonly Literal[] }
  | { readonly kind: "dict"; readonly entries: readonly (readonly [key: Literal, value: Literal])[] };

const blank = /(?:[ \t\f\r\n]|\\\r?\n|#[^\n]*)*/y;
const name = /[\p{L}_][\p{L}\p{N}_]*(?:\s*\.\s*[\p{L}_][\p{L}\p{N}_]*)*/uy;
const prefixed = /([rRuU]?)('''|"""|'|")/y;
const number =
  /(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:\d(?:_?\d)*)?\.?(?:\d(?:_?\d)*)?(?:[eE][+-]?\d(?:_?\d)*)?)(?![\w.])/y;
const maxDepth = 50;

/** The value of a Python literal. Throws TabPyError `config` that says what stands where a literal was expected. */
export function parseLiteral(text: string): Literal {
  const reader = new Reader(text);
  const value = reader.expression(0);
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** A value, and behind it a comma makes it a tuple: `sys.stdout,`. */
  expression(depth: number): Literal {
    const first = this.#value(depth);
    if (!this.#skip(",")) return first;
    const items = [first];
    while (!this.#isAtEnd()) {
      items.push(this.#value(depth));
      if (!this.#skip(",")) break;
    }
    return { kind: "tuple", items };
  }

  end(): void {
    if (!this.#isAtEnd()) throw this.#fault("the end");
  }

  #value(depth: number): Literal {
    let value = this.#single(depth);
    while (this.#peek() === "*" && this.#text[this.#at + 1] !== "*") {
      this.#at++;
      const factor = this.#single(depth);
      if (!isNumber(value) || !isNumber(factor)) throw this.#fault("a number");
      const kind = value.kind === "integer" && factor.kind === "integer" ? "integer" : "float";
      value = { kind, value: value.value * factor.value };
    }
    return value;
  }

  #single(depth: number): Literal {
    if (depth > maxDepth) throw this.#fault(`values at most ${maxDepth} deep`);
    const char = this.#peek();
    if (char === "(") return this.#tuple(depth);
    if (char === "[") {
      this.#at++;
      return { kind: "list", items: this.#items("]", depth) };
    }
    if (char === "{") return this.#dict(depth);
    if (char === "-" || char === "+") {
      this.#at++;
      const value = this.#single(depth + 1);
      if (!isNumber(value)) throw this.#fault("a number");
      return char === "-" ? { ...value, value: -value.value } : value;
    }
    if (this.#isAt(prefixed)) return { kind: "text", value: this.#strings() };
    if (char !== undefined && /[\d.]/.test(char)) return this.#number();
    const found = this.#take(name)?.replace(/\s/g, "");
    if (found === undefined || /^['"]/.test(this.#text.slice(this.#at)))
      throw this.#fault("a Python literal");
    if (found === "None") return { kind: "none" };
    if (found === "True" || found === "False") return { kind: "boolean", value: found === "True" };
    return { kind: "name", name: found };
  }

  /** Brackets around one value without a comma are no tuple. */
  #tuple(depth: number): Literal {
    this.#at++;
    if (this.#skip(")")) return { kind: "tuple", items: [] };
    const first = this.#value(depth + 1);
    if (this.#skip(")")) return first;
    if (!this.#skip(",")) throw this.#fault('"," or ")"');
    return { kind: "tuple", items: [first, ...this.#items(")", depth)] };
  }

  #items(close: string, depth: number): Literal[] {
    const items: Literal[] = [];
    while (!this.#skip(close)) {
      items.push(this.#value(depth + 1));
      if (this.#skip(",")) continue;
      if (this.#skip(close)) break;
      throw this.#fault(`"," or "${close}"`);
    }
    return items;
  }

  #dict(depth: number): Literal {
    this.#at++;
    const entries: [Literal, Literal][] = [];
    while (!this.#skip("}")) {
      const key = this.#value(depth + 1);
      if (!this.#skip(":")) throw this.#fault('":"');
      entries.push([key, this.#value(depth + 1)]);
      if (this.#skip(",")) continue;
      if (this.#skip("}")) break;
      throw this.#fault('"," or "}"');
    }
    return { kind: "dict", entries };
  }

  #number(): Literal {
    const begin = this.#at;
    const found = this.#take(number)?.replaceAll("_", "");
    const isOctalOfOld = found !== undefined && /^0+[1-9]\d*$/.test(found);
    if (found === undefined || found === "" || found === "." || isOctalOfOld) {
      this.#at = begin;
      throw this.#fault("a number");
    }
    const isInteger = /^(0[xXoObB].*|\d+)$/.test(found);
    return { kind: isInteger ? "integer" : "float", value: Number(found) };
  }

  /** One string, or several side by side, which are one. */
  #strings(): string {
    let value = "";
    while (this.#isAt(prefixed)) value += this.#string();
    return value;
  }

  #string(): string {
    prefixed.lastIndex = this.#at;
    const [opening = "", prefix = "", quote = ""] = prefixed.exec(this.#text) ?? [];
    this.#at += opening.length;
    const begin = this.#at;
    for (;;) {
      if (this.#at >= this.#text.length) throw this.#fault(`a closing ${quote}`);
      if (this.#text.startsWith(quote, this.#at)) break;
      if (this.#text[this.#at] === "\n" && quote.length === 1) throw this.#fault(`a closing ${quote}`);
      this.#at += this.#text[this.#at] === "\\" ? 2 : 1;
    }
    const raw = this.#text.slice(begin, this.#at);
    this.#at += quote.length;
    return prefix.toLowerCase() === "r" ? raw : this.#unescape(raw);
  }

  #unescape(raw: string): string {
    return raw.replace(
      /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\r\n|.))/gs,
      (whole: string, octal?: string, two?: string, four?: string, eight?: string, char?: string) => {
        const hex = two ?? four ?? eight;
        const code = octal !== undefined ? Number.parseInt(octal, 8) : Number.parseInt(hex ?? "", 16);
        if (!Number.isNaN(code)) {
          if (code > 0x10ffff) throw this.#fault(`a character up to \\U0010ffff`);
          return String.fromCodePoint(code);
        }
        if (char !== undefined && "xuUN".includes(char)) throw this.#fault(`a whole "\\${char}" escape`);
        return escapes.get(char ?? "") ?? whole;
      },
    );
  }

  #peek(): string | undefined {
    blank.lastIndex = this.#at;
    blank.exec(this.#text);
    this.#at = blank.lastIndex;
    return this.#text[this.#at];
  }

  #isAtEnd(): boolean {
    return this.#peek() === undefined;
  }

  #skip(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at++;
    return true;
  }

  #isAt(pattern: RegExp): boolean {
    this.#peek();
    pattern.lastIndex = this.#at;
    return pattern.test(this.#text);
  }

  #take(pattern: RegExp): string | undefined {
    this.#peek();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #fault(wanted: string): TabPyError {
    const rest = this.#text.slice(this.#at, this.#at + 30);
    const place = rest === "" ? "the end" : JSON.stringify(rest);
    return new TabPyError("config", `expected ${wanted} at ${place}`);
  }
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["\n", ""],
  ["\r\n", ""],
  ["\\", "\\"],
  ["'", "'"],
  ['"', '"'],
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
]);

function isNumber(value: Literal): value is Literal & { readonly kind: "integer" | "float" } {
  return value.kind === "integer" || value.kind === "float";
}
