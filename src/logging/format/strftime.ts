// Times as Python's time.strftime writes them in the C locale on Linux, using the npm package `strftime`. This file
// adds what it lacks: ISO weeks, the C locale's %c and %X, and a check of the format when the config file is read.

import strftime from "strftime";
import type { Fault } from "../spec.ts";

const directive = /%([_\-0^#+]*\d*)[EO]?(.|$)/gs;
const known = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%";
/** Numbers of two or three digits, whose padding a flag may choose. */
const numbers = "CdeHIjklmMSUVWyg";
const cLocale: Readonly<Record<string, string>> = { c: "%a %b %e %H:%M:%S %Y", X: "%H:%M:%S" };

/**
 * A function that writes the local time by `format`. Text that isn't a directive, such as "%f", stays as it is.
 * Throws `fault`'s error for flags and widths of glibc other than "-", "_" and "0" before a number.
 */
export function compileStrftime(format: string, fault: Fault): (time: Date) => string {
  const prepared = format.replace(directive, (whole, flags: string, letter: string) => {
    if (letter === "" || !known.includes(letter)) return `%${whole}`;
    if (flags !== "" && !(/^[-_0]$/.test(flags) && numbers.includes(letter)))
      throw fault(`directives of strftime without flags and widths, got "${whole}"`);
    return cLocale[letter] ?? `%${flags}${letter}`;
  });
  return (time) =>
    strftime(
      prepared.replace(/%([-_0]?)(.)/gs, (whole, flag, letter) => {
        const [value, width = 0] = missing[letter]?.(time) ?? [whole];
        return flag === "-" ? value : value.padStart(width, flag === "_" ? " " : "0");
      }),
      time,
    );
}

/** The directives that the package lacks or writes differently: text, and the width of a number. */
const missing: Readonly<Record<string, (time: Date) => readonly [value: string, width?: number]>> = {
  G: (time) => [String(isoWeek(time).year)],
  g: (time) => [String(isoWeek(time).year % 100), 2],
  V: (time) => [String(isoWeek(time).week), 2],
  // The package is a day behind at midnight.
  j: (time) => [String((utcDay(time) - Date.UTC(time.getFullYear(), 0, 1)) / dayMs + 1), 3],
  Z: (time) => [zoneName(time)],
};

const dayMs = 86_400_000;

/** The local day as if it were one in UTC, where every day has 24 hours. */
function utcDay(time: Date): number {
  return Date.UTC(time.getFullYear(), time.getMonth(), time.getDate());
}

/** The week of ISO 8601, and the year that it belongs to. */
function isoWeek(time: Date): { readonly year: number; readonly week: number } {
  const thursday = utcDay(time) + (4 - (time.getDay() || 7)) * dayMs;
  const year = new Date(thursday).getUTCFullYear();
  return { year, week: Math.floor((thursday - Date.UTC(year, 0, 1)) / dayMs / 7) + 1 };
}

/**
 * The name of the local zone: `CET`. JavaScript has no access to the system's names, and each locale of Intl knows
 * only those of its region; where these three have none, the offset is the name, as in the tz database: `-03`.
 */
function zoneName(time: Date): string {
  const names = ["en-GB", "en-US", "en-IN"].map((locale) => {
    const parts = new Intl.DateTimeFormat(locale, { timeZoneName: "short" }).formatToParts(time);
    return parts.find((part) => part.type === "timeZoneName")?.value ?? "";
  });
  const [name = ""] = [...names.filter((one) => !/^GMT./.test(one)), ...names];
  return name.replace(
    /^GMT([+-])(\d+)(?::(\d+))?$/,
    (_, sign, hours, minutes = "") => sign + hours.padStart(2, "0") + minutes,
  );
}
