// When a file that rotates by the clock is due, and what the file before is called: the arithmetic of Python's
// TimedRotatingFileHandler (3.11), in whole seconds since 1970. time-rotation.ts does the renaming.

import { compileStrftime } from "./strftime.ts";

export interface When {
  readonly unit: "S" | "M" | "H" | "D" | "MIDNIGHT" | "W";
  /** Day of a weekly rotation, Monday is 0. */
  readonly day: number;
  readonly intervalSeconds: number;
  readonly isUtc: boolean;
  /** For strftime: what is put behind the name of the file before. */
  readonly suffix: string;
  /** What that looks like, also with an ending of letters. */
  readonly suffixPattern: RegExp;
}

const daySeconds = 86_400;
const units: Readonly<Record<string, readonly [seconds: number, suffix: string, pattern: string]>> = {
  S: [1, "%Y-%m-%d_%H-%M-%S", "\\d{4}-\\d{2}-\\d{2}_\\d{2}-\\d{2}-\\d{2}"],
  M: [60, "%Y-%m-%d_%H-%M", "\\d{4}-\\d{2}-\\d{2}_\\d{2}-\\d{2}"],
  H: [3600, "%Y-%m-%d_%H", "\\d{4}-\\d{2}-\\d{2}_\\d{2}"],
  D: [daySeconds, "%Y-%m-%d", "\\d{4}-\\d{2}-\\d{2}"],
  MIDNIGHT: [daySeconds, "%Y-%m-%d", "\\d{4}-\\d{2}-\\d{2}"],
  W: [7 * daySeconds, "%Y-%m-%d", "\\d{4}-\\d{2}-\\d{2}"],
};

/** `when` as Python takes it, in any case: S, M, H, D, midnight, W0 (Monday) to W6. Undefined for anything else. */
export function parseWhen(text: string, interval: number, isUtc: boolean): When | undefined {
  const [, unit = "", day] = /^(S|M|H|D|MIDNIGHT|W)([0-6])?$/.exec(text.toUpperCase()) ?? [];
  const found = units[unit];
  if (found === undefined || (day === undefined) === (unit === "W")) return undefined;
  const [seconds, suffix, pattern] = found;
  return {
    unit: unit as When["unit"],
    day: Number(day ?? 0),
    intervalSeconds: seconds * interval,
    isUtc,
    suffix,
    suffixPattern: new RegExp(`^${pattern}(\\.\\w+)?$`),
  };
}

/** When a file is due that was begun, or last rotated, at `now`. */
export function computeRollover(when: When, now: number): number {
  if (when.unit !== "MIDNIGHT" && when.unit !== "W") return now + when.intervalSeconds;
  const time = new Date(now * 1000);
  const [hour, minute, second, weekDay] = when.isUtc
    ? [time.getUTCHours(), time.getUTCMinutes(), time.getUTCSeconds(), time.getUTCDay()]
    : [time.getHours(), time.getMinutes(), time.getSeconds(), time.getDay()];
  const midnight = now + daySeconds - (hour * 3600 + minute * 60 + second);
  const today = (weekDay + 6) % 7;
  if (when.unit === "MIDNIGHT" || today === when.day) return midnight;
  const daysToWait = today < when.day ? when.day - today : 6 - today + when.day + 1;
  const due = midnight + daysToWait * daySeconds;
  return when.isUtc ? due : due + summerTimeShift(now, due);
}

/** The next time that a file is due, after it has been rotated at `now`. */
export function nextRollover(when: When, now: number): number {
  let due = computeRollover(when, now);
  while (due <= now) due += when.intervalSeconds;
  const isOfDay = when.unit === "MIDNIGHT" || when.unit === "W";
  return isOfDay && !when.isUtc ? due + summerTimeShift(now, due) : due;
}

/** What stands behind the name of the file before, when the one that was due at `due` is rotated at `now`. */
export function suffixOf(when: When, due: number, now: number): string {
  let begun = due - when.intervalSeconds;
  if (!when.isUtc) begun += summerTimeShift(now, begun);
  const time = new Date(begun * 1000);
  // strftime writes local time: for UTC the clock is moved by the offset.
  const shown = when.isUtc ? new Date(time.getTime() + time.getTimezoneOffset() * 60_000) : time;
  return compileStrftime(when.suffix, () => "")(shown);
}

/** An hour off when summer time begins between the two times, an hour more when it ends. */
function summerTimeShift(from: number, to: number): number {
  const before = isSummerTime(from);
  if (before === isSummerTime(to)) return 0;
  return before ? 3600 : -3600;
}

function isSummerTime(seconds: number): boolean {
  const time = new Date(seconds * 1000);
  const year = time.getFullYear();
  const offsets = [0, 6].map((month) => new Date(year, month, 1).getTimezoneOffset());
  return Math.max(...offsets) !== Math.min(...offsets) && time.getTimezoneOffset() === Math.min(...offsets);
}
