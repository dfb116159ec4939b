// Docstrings in state.ini. TabPy decodes a value with Python's `unicode_escape` when it reads it but writes it
// unescaped, with raw line ends and characters, which it then misreads. Here they are written escaped, on one line, and
// both forms are read.

/** TabPy's text for a function without one. */
export const noDocstring = "-- no docstring found in query function --";

const simple: Readonly<Record<string, string>> = {
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
/** https://docs.python.org/3/reference/lexical_analysis.html#escape-sequences, without \\N{name}. */
const escapeSequence =
  /\\(?:([\\'"abfnrtv])|\n|([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g;
/** The characters that a value of one line can't contain unescaped. */
const special = /[^\x20-\x5b\x5d-\x7e]|^ | $/gu;

/** The value for a docstring, with `%` not yet doubled. */
export function escapeDocstring(text: string): string {
  return text.replace(special, (char) => {
    const code = char.codePointAt(0) ?? 0;
    if (char === "\\") return "\\\\";
    if (char === "\n") return "\\n";
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
    if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
    return `\\U${code.toString(16).padStart(8, "0")}`;
  });
}

/** The docstring from a value, escaped or raw. An invalid escape sequence stays as it is. */
export function unescapeDocstring(value: string): string {
  return value.replace(escapeSequence, (whole, letter, octal, ...hexadecimal) => {
    if (letter !== undefined) return simple[letter] ?? whole;
    if (whole === "\\\n") return "";
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
    const digits = hexadecimal.slice(0, 3).find((one) => one !== undefined);
    const code = Number.parseInt(digits, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
