// TimedRotatingFileHandler's target: when its interval ends, the file is renamed to its name and the interval's
// start, and the oldest such files are removed. The arithmetic is Python 3.11's, in whole seconds since 1970.

import { statSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errorText } from "../../errors.ts";
import type { When } from "../spec.ts";
import type { LogFile } from "./file.ts";
import type { Target } from "./line-buffer.ts";
import { createRotationTarget, renameIfThere } from "./rotation.ts";

export interface TimeRotation {
  readonly when: When;
  /** Older files to keep; 0 for all. */
  readonly backups: number;
  /** Milliseconds since 1970 at the start. */
  readonly nowMs: number;
  /** Called when files can't be renamed or removed. */
  readonly onFault: (text: string) => void;
}

const daySeconds = 86_400;
/** `suffixLength`: how much of `2026-01-31_12-00-00` the name of an older file ends with. */
const units: Readonly<Record<When["unit"], { readonly seconds: number; readonly suffixLength: number }>> = {
  S: { seconds: 1, suffixLength: 19 },
  M: { seconds: 60, suffixLength: 16 },
  H: { seconds: 3600, suffixLength: 13 },
  D: { seconds: daySeconds, suffixLength: 10 },
  MIDNIGHT: { seconds: daySeconds, suffixLength: 10 },
  W: { seconds: 7 * daySeconds, suffixLength: 10 },
};

export function createTimeRotationTarget(file: LogFile, rotation: TimeRotation): Target {
  const { when, backups, onFault } = rotation;
  const digits = "0000-00-00_00-00-00".slice(0, units[when.unit].suffixLength).replaceAll("0", "\\d");
  const suffixPattern = new RegExp(`^${digits}(\\.\\w+)?$`); // Python allows for an extension, such as .gz
  let due = computeRollover(when, lastWritten(file.path) ?? Math.floor(rotation.nowMs / 1000));

  const removeOldest = async () => {
    const folder = dirname(file.path);
    const prefix = `${basename(file.path)}.`;
    const older = (await readdir(folder))
      .filter((name) => name.startsWith(prefix) && suffixPattern.test(name.slice(prefix.length)))
      .sort();
    for (const name of older.slice(0, Math.max(0, older.length - backups))) await rm(join(folder, name));
  };

  return createRotationTarget(file, {
    isFarOff: ({ timesMs }) => secondsOf(timesMs.at(-1)) < due,
    isDue: ({ timesMs }, index) => secondsOf(timesMs[index]) >= due,
    rotate: async ({ timesMs }, index) => {
      const now = secondsOf(timesMs[index]);
      if (!file.isRegular) {
        due = computeRollover(when, now);
        return;
      }
      await file.close();
      try {
        await renameIfThere(file.path, `${file.path}.${suffixOf(when, due, now)}`);
        if (backups > 0) await removeOldest();
      } catch (error) {
        onFault(`Cannot rotate the log ${file.path}: ${errorText(error)}`);
      }
      due = nextRollover(when, now);
      await file.open();
    },
  });
}

function secondsOf(timeMs: number | undefined): number {
  return Math.floor((timeMs ?? 0) / 1000);
}

/** When a file of an earlier run was last written, in seconds since 1970. */
function lastWritten(path: string): number | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : Math.floor(stats.mtimeMs / 1000);
}

function intervalOf({ unit, interval }: When): number {
  return units[unit].seconds * interval;
}

/** When a file that was created, or last rotated, at `now` is due. */
function computeRollover(when: When, now: number): number {
  if (when.unit !== "MIDNIGHT" && when.unit !== "W") return now + intervalOf(when);
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

/** When a file is due next, after it was rotated at `now`. */
function nextRollover(when: When, now: number): number {
  let due = computeRollover(when, now);
  while (due <= now) due += intervalOf(when);
  const isOfDay = when.unit === "MIDNIGHT" || when.unit === "W";
  return isOfDay && !when.isUtc ? due + summerTimeShift(now, due) : due;
}

/** What is appended to the name of a file that was due at `due` and is rotated at `now`. */
function suffixOf(when: When, due: number, now: number): string {
  let start = due - intervalOf(when);
  if (!when.isUtc) start += summerTimeShift(now, start);
  const offset = when.isUtc ? 0 : new Date(start * 1000).getTimezoneOffset() * 60;
  const text = new Date((start - offset) * 1000).toISOString().replace("T", "_").replaceAll(":", "-");
  return text.slice(0, units[when.unit].suffixLength);
}

/** Minus an hour when summer time starts between the two times, an hour when it ends. */
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
