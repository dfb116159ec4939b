// RotatingFileHandler's target: when a line would take the file past its size, the file becomes `name.1`, the one
// before `name.2` and so on, and the oldest goes. Names and sizes are Python's; an empty file isn't rotated, as in
// newer Pythons. time-rotation.ts is the other one.

import { errorText } from "../errors.ts";
import type { LogFile } from "./file-target.ts";
import type { Target } from "./line-queue.ts";
import { createRotationTarget, renameIfThere } from "./rotation.ts";

export interface SizeRotation {
  /** A line that would take the file to this size or past it goes into a new one; 0 for never. */
  readonly maxBytes: number;
  /** Older files to keep; with 0 the file only grows, as Python's does. */
  readonly backups: number;
  /** Told when files can't be renamed. */
  readonly onFault: (text: string) => void;
}

/** After files could not be renamed, the file grows for so long before it is tried again. */
const faultPauseMs = 10_000;

export function createSizeRotationTarget(file: LogFile, rotation: SizeRotation): Target {
  const { maxBytes, backups, onFault } = rotation;
  let nextTryAt = 0;

  return createRotationTarget(file, {
    isFarOff: ({ bytes }, from) =>
      maxBytes <= 0 || backups <= 0 || !file.isRegular || file.size + bytes.length - from < maxBytes,
    isDue: ({ bytes, ends }, index, begin, size) => {
      const end = ends[index] ?? 0;
      if (size === 0 || size + end - begin < maxBytes || performance.now() < nextTryAt) return false;
      // Python compares bytes that are there with characters that come.
      const chars = file.encode === undefined ? charactersOf(bytes.subarray(begin, end)) : end - begin;
      return size + chars >= maxBytes;
    },
    rotate: async () => {
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
    },
  });
}

/** Characters of UTF-8. */
function charactersOf(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if ((byte & 0xc0) !== 0x80) count++;
  return count;
}
