// TimedRotatingFileHandler's target: when the time has come, the file gets the time of its begin behind its name, and
// the oldest of such files go. When that is, and what the name is, says rollover-time.ts.

import { statSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errorText } from "../errors.ts";
import type { LogFile } from "./file-target.ts";
import type { Target } from "./line-queue.ts";
import { computeRollover, nextRollover, suffixOf, type When } from "./rollover-time.ts";
import { createRotationTarget, renameIfThere } from "./rotation.ts";

export interface TimeRotation {
  readonly when: When;
  /** Older files to keep; 0 for all. */
  readonly backups: number;
  /** Milliseconds since 1970 at the start. */
  readonly nowMs: number;
  /** Told when files can't be renamed or removed. */
  readonly onFault: (text: string) => void;
}

export function createTimeRotationTarget(file: LogFile, rotation: TimeRotation): Target {
  const { when, backups, onFault } = rotation;
  let due = computeRollover(when, begunAt(file.path) ?? Math.floor(rotation.nowMs / 1000));

  const removeOldest = async () => {
    const folder = dirname(file.path);
    const prefix = `${basename(file.path)}.`;
    const older = (await readdir(folder))
      .filter((name) => name.startsWith(prefix) && when.suffixPattern.test(name.slice(prefix.length)))
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

/** When a file that an earlier run left was last written, in seconds since 1970. */
function begunAt(path: string): number | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : Math.floor(stats.mtimeMs / 1000);
}
