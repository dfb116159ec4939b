// Times as Python's time.strftime writes them on Linux in the C locale: every directive of glibc with its flags and
// widths. A text that is no directive, such as "%f", stays as it stands, which is what glibc does.

import type { ZoneName } from "./time-zone.ts";

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const directive = /%([_\-0^#+]*)(\d*)([EO]?)(.)/gs;

/** A piece of a time: its text, or a number with the width and the padding that it has without flags. */
type Part = string | { readonly value: number; readonly width: number; readonly pad: "0" | "_" };

/** Directives that stand for others. */
const compositions: Readonly<Record<string, string>> = {
  c: "%a %b %e %H:%M:%S %Y",
  D: "%m/%d/%y",
  F: "%Y-%m-%d",
  r: "%I:%M:%S %p",
  R: "%H:%M",
  T: "%H:%M:%S",
  x: "%m/%d/%y",
  X: "%H:%M:%S",
};

/** A function that writes the local time by `format`. `zoneName` is asked for `%Z` alone. */
export function compileStrftime(format: string, zoneName: ZoneName): (time: Date) => string {
  const pieces: (string | ((time: Date) => string))[] = [];
  let end = 0;
  for (const match of format.matchAll(directive)) {
    const [whole, flags = "", width = "", , letter = ""] = match;
    pieces.push(format.slice(end, match.index));
    end = match.index + whole.length;
    const composition = compositions[letter];
    if (composition !== undefined) {
      const inner = compileStrftime(composition, zoneName);
      pieces.push((time) => shaped(inner(time), flags, Number(width), letter));
    } else if (isDirective(letter)) {
      pieces.push((time) => shaped(partOf(letter, time, zoneName), flags, Number(width), letter));
    } else pieces.push(whole);
  }
  pieces.push(format.slice(end));
  return (time) => pieces.map((piece) => (typeof piece === "string" ? piece : piece(time))).join("");
}

function isDirective(letter: string): boolean {
  return "aAbBCdeGgHhIjklmMnpPsStuUVwWyYzZ%".includes(letter);
}

function partOf(letter: string, time: Date, zoneName: ZoneName): Part {
  const two = (value: number): Part => ({ value, width: 2, pad: "0" });
  const spaced = (value: number): Part => ({ value, width: 2, pad: "_" });
  const year = time.getFullYear();
  const hour12 = time.getHours() % 12 || 12;
  switch (letter) {
    case "a":
      return (days[time.getDay()] ?? "").slice(0, 3);
    case "A":
      return days[time.getDay()] ?? "";
    case "b":
    case "h":
      return (months[time.getMonth()] ?? "").slice(0, 3);
    case "B":
      return months[time.getMonth()] ?? "";
    case "C":
      return two(Math.floor(year / 100));
    case "d":
      return two(time.getDate());
    case "e":
      return spaced(time.getDate());
    case "G":
      return { value: isoWeek(time).year, width: 1, pad: "0" };
    case "g":
      return two(isoWeek(time).year % 100);
    case "H":
      return two(time.getHours());
    case "I":
      return two(hour12);
    case "j":
      return { value: dayOfYear(time) + 1, width: 3, pad: "0" };
    case "k":
      return spaced(time.getHours());
    case "l":
      return spaced(hour12);
    case "m":
      return two(time.getMonth() + 1);
    case "M":
      return two(time.getMinutes());
    case "n":
      return "\n";
    case "p":
      return time.getHours() < 12 ? "AM" : "PM";
    case "P":
      return time.getHours() < 12 ? "am" : "pm";
    case "s":
      return { value: Math.floor(time.getTime() / 1000), width: 1, pad: "0" };
    case "S":
      return two(time.getSeconds());
    case "t":
      return "\t";
    case "u":
      return { value: time.getDay() || 7, width: 1, pad: "0" };
    case "U":
      return two(Math.floor((dayOfYear(time) + 7 - time.getDay()) / 7));
    case "V":
      return two(isoWeek(time).week);
    case "w":
      return { value: time.getDay(), width: 1, pad: "0" };
    case "W":
      return two(Math.floor((dayOfYear(time) + 7 - ((time.getDay() + 6) % 7)) / 7));
    case "y":
      return two(year % 100);
    case "Y":
      return { value: year, width: 1, pad: "0" };
    case "z":
      return offset(time);
    case "Z":
      return zoneName(time);
    default:
      return "%";
  }
}

/** glibc's flags: `_` `-` `0` choose the padding, `^` capitals, `#` the other case; a width pads further, not `%z`. */
function shaped(part: Part, flags: string, width: number, letter: string): string {
  const padFlag = flags.replace(/[\^#+]/g, "").at(-1);
  const isSmall = flags.includes("#") && (letter === "p" || letter === "Z");
  const isCapital = flags.includes("^") || (flags.includes("#") && "aAbBh".includes(letter));
  if (typeof part === "string") {
    const cased = isSmall ? part.toLowerCase() : isCapital ? part.toUpperCase() : part;
    if (padFlag === "-" || letter === "z") return cased;
    return cased.padStart(width, padFlag === "0" ? "0" : " ");
  }
  const pad = padFlag ?? part.pad;
  const digits = String(part.value);
  if (pad === "-") return digits;
  return digits.padStart(Math.max(width, part.width), pad === "_" ? " " : "0");
}

function dayOfYear(time: Date): number {
  const begin = Date.UTC(time.getFullYear(), 0, 1);
  return Math.round((Date.UTC(time.getFullYear(), time.getMonth(), time.getDate()) - begin) / 86_400_000);
}

/** Week of ISO 8601 and the year that it belongs to. */
function isoWeek(time: Date): { readonly year: number; readonly week: number } {
  const day = new Date(Date.UTC(time.getFullYear(), time.getMonth(), time.getDate()));
  day.setUTCDate(day.getUTCDate() + 4 - (day.getUTCDay() || 7)); // the Thursday of its week
  const year = day.getUTCFullYear();
  const week = Math.floor((day.getTime() - Date.UTC(year, 0, 1)) / 86_400_000 / 7) + 1;
  return { year, week };
}

function offset(time: Date): string {
  const minutes = -time.getTimezoneOffset();
  const size = Math.abs(minutes);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${two(size % 60)}`;
}
