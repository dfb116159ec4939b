// What Python's json says about a body that it can't read, word for word: clients see it in answers. The texts and
// positions are those of CPython's decoders of UTF-8 and JSON up to 3.12.

/** In a larger body no fault is looked for: that would hold up other requests. */
const maxBytes = 2 * 1024 * 1024;

/**
 * The text of the error that `json.loads(bytes.decode("utf-8"))` raises; undefined when it would read the bytes, and
 * for more than 2 MiB.
 */
export function pythonJsonFault(bytes: Buffer): string | undefined {
  if (bytes.length > maxBytes) return undefined;
  return utf8Fault(bytes) ?? jsonFault(bytes.toString("utf8").replace(/^\ufeff/, ""));
}

const codec = "'utf-8' codec can't decode";

function utf8Fault(bytes: Buffer): string | undefined {
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const [least, most, size] = secondByte(first);
    if (size === 0) return byteFault(bytes, at, 1, "invalid start byte");
    for (let next = 1; next < size; next++) {
      const byte = bytes[at + next];
      if (byte === undefined) return byteFault(bytes, at, next, "unexpected end of data");
      const isValid = next === 1 ? byte >= least && byte <= most : byte >= 0x80 && byte <= 0xbf;
      if (!isValid) return byteFault(bytes, at, next, "invalid continuation byte");
    }
    at += size;
  }
  return undefined;
}

/** The range of the byte after `first`, and the length of the character; 0 when none starts with `first`. */
function secondByte(first: number): readonly [least: number, most: number, size: number] {
  if (first < 0x80) return [0, 0, 1];
  if (first < 0xc2 || first > 0xf4) return [0, 0, 0];
  if (first < 0xe0) return [0x80, 0xbf, 2];
  if (first < 0xf0) return [first === 0xe0 ? 0xa0 : 0x80, first === 0xed ? 0x9f : 0xbf, 3];
  return [first === 0xf0 ? 0x90 : 0x80, first === 0xf4 ? 0x8f : 0xbf, 4];
}

function byteFault(bytes: Buffer, at: number, count: number, what: string): string {
  if (count > 1) return `${codec} bytes in position ${at}-${at + count - 1}: ${what}`;
  return `${codec} byte 0x${bytes[at]?.toString(16).padStart(2, "0")} in position ${at}: ${what}`;
}

const blanks = /[ \t\n\r]*/y;
const scalar = /null|true|false|NaN|-?Infinity|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;
/** Everything but quotes, backslashes and control characters. */
const stringPart = /[ !#-[\]-\u{10ffff}]*/uy;
const unicodeEscape = /u[0-9a-fA-F]{4}(?=[\s\S])/y;

/** A fault at a position of the text. */
class Fault {
  readonly what: string;
  readonly at: number;

  constructor(what: string, at: number) {
    this.what = what;
    this.at = at;
  }
}

/** Reads without recursion, so that no depth of nesting is too much. */
function jsonFault(text: string): string | undefined {
  const open: ("{" | "[")[] = [];
  let at = skip(blanks, text, 0);
  try {
    for (;;) {
      at = skip(blanks, text, at);
      const start = text[at];
      if (start === "{" || start === "[") {
        const inside = skip(blanks, text, at + 1);
        if (text[inside] !== (start === "{" ? "}" : "]")) {
          open.push(start);
          at = start === "{" ? readKey(text, inside) : inside;
          continue;
        }
        at = inside + 1;
      } else at = readScalar(text, at);
      at = skip(blanks, text, at);
      // Behind a value: close what ends here, until there is another one.
      for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
        if (text[at] === ",") break;
        if (text[at] !== (last === "{" ? "}" : "]")) throw new Fault("Expecting ',' delimiter", at);
        open.pop();
        at = skip(blanks, text, at + 1);
      }
      const last = open.at(-1);
      if (last === undefined) {
        if (at < text.length) throw new Fault("Extra data", at);
        return undefined;
      }
      at = skip(blanks, text, at + 1);
      if (last === "{") at = readKey(text, at);
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return `${error.what}: ${placeOf(text, error.at)}`;
  }
}

/** From a member's name to its value. */
function readKey(text: string, at: number): number {
  if (text[at] !== '"') throw new Fault("Expecting property name enclosed in double quotes", at);
  const end = skip(blanks, text, readString(text, at));
  if (text[end] !== ":") throw new Fault("Expecting ':' delimiter", end);
  return skip(blanks, text, end + 1);
}

function readScalar(text: string, at: number): number {
  if (text[at] === '"') return readString(text, at);
  const end = skip(scalar, text, at);
  if (end === at) throw new Fault("Expecting value", at);
  return end;
}

function readString(text: string, start: number): number {
  for (let at = start + 1; ; ) {
    at = skip(stringPart, text, at);
    if (text[at] === '"') return at + 1;
    if (text[at] !== "\\") {
      if (at < text.length) throw new Fault("Invalid control character at", at);
      throw new Fault("Unterminated string starting at", start);
    }
    const escaped = text[at + 1];
    if (escaped === undefined) throw new Fault("Unterminated string starting at", start);
    if (escaped === "u") {
      const end = skip(unicodeEscape, text, at + 1);
      if (end === at + 1) throw new Fault("Invalid \\uXXXX escape", at + 1);
      at = end;
    } else if ('"\\/bfnrt'.includes(escaped)) at += 2;
    else throw new Fault("Invalid \\escape", at);
  }
}

/** The end of what the sticky `pattern` finds at a position, or that position. */
function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** Python counts characters, not UTF-16 units. */
function placeOf(text: string, at: number): string {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  const column = [...before.slice(before.lastIndexOf("\n") + 1)].length + 1;
  return `line ${line} column ${column} (char ${[...before].length})`;
}
