// Numbers as Python prints them: repr of floats, and the conversions d, x, o, b, c, e, f, g with their flags, which
// "%05d" and "{:05d}" share. https://docs.python.org/3/library/string.html#formatspec

/** How a number is to be written, without padding. */
export interface NumberFormat {
  /** One of d x X o b c e E f F g G %, or undefined for Python's own choice. */
  readonly type: string | undefined;
  readonly precision: number | undefined;
  /** `#`: 0x before hexadecimal, a point in every float. */
  readonly isAlternate: boolean;
  /** `,` or `_` between groups of digits. */
  readonly grouping: string | undefined;
}

/** The digits of |value|; sign and padding are the caller's. `isFloat` as Python's type has it. */
export function digitsOf(value: number, isFloat: boolean, format: NumberFormat): string {
  const size = Math.abs(value);
  const { type, precision, isAlternate } = format;
  switch (type) {
    case "d":
    case "n":
      return grouped(String(Math.trunc(size)), format.grouping, 3);
    case "x":
    case "X": {
      const digits = grouped(size.toString(16), format.grouping, 4);
      const lower = `${isAlternate ? "0x" : ""}${digits}`;
      return type === "X" ? lower.toUpperCase() : lower;
    }
    case "o":
      return `${isAlternate ? "0o" : ""}${grouped(size.toString(8), format.grouping, 4)}`;
    case "b":
      return `${isAlternate ? "0b" : ""}${grouped(size.toString(2), format.grouping, 4)}`;
    case "c":
      return String.fromCodePoint(size);
    case undefined:
      if (!isFloat) return grouped(String(size), format.grouping, 3);
      if (precision === undefined) return grouped(floatText(size), format.grouping, 3);
      return grouped(shortDigits(size, precision, isAlternate, true), format.grouping, 3);
    case "%":
      return `${grouped(fixed(size * 100, precision ?? 6, isAlternate), format.grouping, 3)}%`;
    default:
      return grouped(floatDigits(size, type, precision ?? 6, isAlternate), format.grouping, 3);
  }
}

/** A float as Python's repr has it: `3.0`, `1.5e+16`. */
export function floatText(value: number): string {
  const exponent = Number(value.toExponential().split("e")[1]);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) return twoDigitExponent(value.toExponential());
  const text = String(value);
  return Number.isInteger(value) ? `${text}.0` : text;
}

function floatDigits(size: number, type: string, precision: number, isAlternate: boolean): string {
  switch (type.toLowerCase()) {
    case "e": {
      const text = twoDigitExponent(size.toExponential(Math.min(precision, 100)));
      const whole = isAlternate && precision === 0 ? text.replace("e", ".e") : text;
      return type === "E" ? whole.toUpperCase() : whole;
    }
    case "g": {
      const text = shortDigits(size, precision, isAlternate, false);
      return type === "G" ? text.toUpperCase() : text;
    }
    default:
      return fixed(size, precision, isAlternate);
  }
}

/** `%.*f`: JavaScript rounds a tie up, Python to the even digit. */
function fixed(size: number, precision: number, isAlternate: boolean): string {
  const places = Math.min(precision, 100);
  let text = size.toFixed(places);
  const exact = size.toFixed(100);
  const point = exact.indexOf(".") + 1;
  const isTie = /^50*$/.test(exact.slice(point + places));
  if (isTie) {
    const lower = exact.slice(0, point + places).replace(/\.$/, "");
    if (/[02468]$/.test(lower)) text = lower;
  }
  return isAlternate && places === 0 ? `${text}.` : text;
}

/** `%.*g`, and the form that a float has with a precision and no type, which keeps ".0". */
function shortDigits(size: number, precision: number, isAlternate: boolean, keepsPoint: boolean): string {
  const digits = Math.min(Math.max(precision, 1), 100);
  const [mantissa = "", exponentText = "0"] = size.toExponential(digits - 1).split("e");
  const exponent = Number(exponentText);
  const trim = (text: string) =>
    isAlternate || !text.includes(".") ? text : text.replace(/0+$/, "").replace(/\.$/, "");
  const limit = keepsPoint ? digits - 1 : digits;
  if (exponent < -4 || exponent >= limit) return twoDigitExponent(`${trim(mantissa)}e${exponent}`);
  const plain = trim(fixed(size, digits - 1 - exponent, isAlternate));
  return keepsPoint && !plain.includes(".") ? `${plain}.0` : plain;
}

function twoDigitExponent(text: string): string {
  return text
    .replace(/e([+-]?)(\d)$/, (_, sign, digit) => `e${sign || "+"}0${digit}`)
    .replace(/e(\d)/, "e+$1");
}

function grouped(text: string, separator: string | undefined, size: number): string {
  if (separator === undefined) return text;
  const [, whole = "", rest = ""] = /^([0-9a-f]+)(.*)$/.exec(text) ?? [];
  return whole.replace(new RegExp(`\\B(?=([0-9a-f]{${size}})+$)`, "g"), separator) + rest;
}
