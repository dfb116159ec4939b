// RotatingFileHandler's target: when a line would take the file past its size, the file becomes `name.1`, the one
// before `name.2` and so on, and the oldest goes. Names and sizes are Python's; an empty file isn't rotated, as in
// newer Pythons. time-rotation.ts is the other one.

import { rename } from "node:fs/promises";
import { errnoOf, errorText } from "../errors.ts";
import type { LogFile } from "./file-target.ts";
import type { Target } from "./line-queue.ts";
import { lengthOf } from "./style.ts";

export interface SizeRotation {
  /** A line that would take the file to this size or past it goes into a new one; 0 for never. */
  readonly maxBytes: number;
  /** Older files to keep; with 0 the file only grows, as Python's does. */
  readonly backups: number;
  /** Told when files can't be renamed. */
  readonly onFault: (text: string) => void;
}

/** After files could not be renamed, the file grows for so long before it is tried again. */
export const faultPauseMs = 10_000;

export function createSizeRotationTarget(file: LogFile, rotation: SizeRotation): Target {
  const { maxBytes, backups, onFault } = rotation;
  let nextTryAt = 0;

  const rotate = async () => {
    await file.close();
    try {
      for (let number = backups - 1; number > 0; number--)
        await renameIfThere(`${file.path}.${number}`, `${file.path}.${number + 1}`);
      await renameIfThere(file.path, `${file.path}.1`);
    } catch (error) {
      nextTryAt = performance.now() + faultPauseMs;
      onFault(`Cannot rotate the log ${file.path}: ${errorText(error)}`);
    }
    await file.open();
  };

  return {
    name: file.path,
    write: async (lines) => {
      let begin = 0;
      let bytes = 0;
      try {
        await file.open();
        const isLimited = maxBytes > 0 && backups > 0 && file.isRegular && !file.isBelow(maxBytes, lines);
        for (let index = 0; isLimited && index < lines.length; index++) {
          const line = lines[index] ?? "";
          const size = file.sizeOf(line);
          // Python compares bytes that are there with characters that come.
          const chars = size === line.length + 1 ? size : lengthOf(line) + 1;
          const position = file.size + bytes;
          if (position > 0 && position + chars >= maxBytes && performance.now() >= nextTryAt) {
            const loss = await file.append(lines.slice(begin, index));
            if (loss !== undefined) return { ...loss, lines: loss.lines + lines.length - index };
            begin = index;
            bytes = 0;
            await rotate();
          }
          bytes += size;
        }
      } catch (error) {
        return { lines: lines.length - begin, reason: errorText(error) };
      }
      return file.append(begin === 0 ? lines : lines.slice(begin));
    },
    reopen: () => file.reopen(),
    close: () => file.close(),
  };
}

/** Rename over whatever has the new name; nothing when there is no such file. */
export async function renameIfThere(path: string, newPath: string): Promise<void> {
  try {
    await rename(path, newPath);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
