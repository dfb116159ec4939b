// Numbers as Python prints them: repr of floats, and the conversions of printf that a format may use.
// https://docs.python.org/3/library/stdtypes.html#printf-style-string-formatting

/** One of d x X o e E f F g G. */
export interface NumberFormat {
  readonly type: string;
  /** Of floats; integers are padded by the caller. */
  readonly precision: number | undefined;
  /** `#`: 0x before hexadecimal, a point in every float. */
  readonly isAlternate: boolean;
}

/** The most that toFixed() and toExponential() accept. */
const maxPlaces = 100;

/** The digits of |value|; the caller adds sign and padding. */
export function digitsOf(value: number, { type, precision = 6, isAlternate }: NumberFormat): string {
  const size = Math.abs(value);
  const places = Math.min(precision, maxPlaces);
  const text = (() => {
    switch (type.toLowerCase()) {
      case "d":
        return String(Math.trunc(size));
      case "x":
        return `${isAlternate ? "0x" : ""}${size.toString(16)}`;
      case "o":
        return `${isAlternate ? "0o" : ""}${size.toString(8)}`;
      case "e": {
        const exponential = twoDigitExponent(size.toExponential(places));
        return isAlternate && places === 0 ? exponential.replace("e", ".e") : exponential;
      }
      case "g":
        return general(size, places, isAlternate);
      default:
        return fixed(size, places, isAlternate);
    }
  })();
  return type === type.toUpperCase() ? text.toUpperCase() : text;
}

/** A float as Python's repr has it: `3.0`, `1.5e+16`. */
export function floatText(value: number): string {
  const exponent = Number(value.toExponential().split("e")[1]);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) return twoDigitExponent(value.toExponential());
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** `%.*f`. toFixed() rounds a tie up, Python to the even digit. */
function fixed(size: number, places: number, isAlternate: boolean): string {
  const exact = size.toFixed(maxPlaces);
  const end = exact.indexOf(".") + 1 + places;
  const lower = exact.slice(0, end).replace(/\.$/, "");
  const isEvenTie = /^50*$/.test(exact.slice(end)) && /[02468]$/.test(lower);
  return (isEvenTie ? lower : size.toFixed(places)) + (isAlternate && places === 0 ? "." : "");
}

/** `%.*g`. */
function general(size: number, precision: number, isAlternate: boolean): string {
  const digits = Math.max(precision, 1);
  const [mantissa = "", exponentText = "0"] = size.toExponential(digits - 1).split("e");
  const exponent = Number(exponentText);
  const trim = (text: string) => (isAlternate || !text.includes(".") ? text : text.replace(/\.?0+$/, ""));
  if (exponent < -4 || exponent >= digits) return twoDigitExponent(`${trim(mantissa)}e${exponent}`);
  return trim(fixed(size, Math.min(digits - 1 - exponent, maxPlaces), isAlternate));
}

/** `1e+5` or `1e5` as `1e+05`. */
function twoDigitExponent(text: string): string {
  return text.replace(/e([+-]?)(\d+)$/, (_, sign, digits) => `e${sign || "+"}${digits.padStart(2, "0")}`);
}
