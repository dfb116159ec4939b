// Rotating files. A rotation decides before each record whether the file must be renamed first; the records between
// two renames are written together. RotatingFileHandler, by size, is here; time-rotation.ts has the other one.

import { rename } from "node:fs/promises";
import { errnoOf, errorText } from "../../errors.ts";
import type { LogFile } from "./file.ts";
import type { Batch, Target, Written } from "./line-buffer.ts";

export interface Rotation {
  /** Whether no record of the batch can be due: saves checking each of them. */
  isFarOff(batch: Batch, from: number): boolean;
  /** Whether to rotate before the record that starts at `start`, when the file has `size` bytes. */
  isDue(batch: Batch, index: number, start: number, size: number): boolean;
  /** Rotate; the file is open after that. */
  rotate(batch: Batch, index: number): Promise<void>;
}

export function createRotationTarget(file: LogFile, rotation: Rotation): Target {
  return {
    name: file.path,
    ...(file.encode && { encode: file.encode }),
    write: async (batch, from) => {
      const { bytes, ends } = batch;
      let start = from; // of what is still to be written
      try {
        await file.open();
        let record = 0;
        for (let index = 0; !rotation.isFarOff(batch, from) && index < ends.length; index++) {
          // The rest of a partly written record goes into the file that has its first part.
          const isWhole = record >= from;
          if (isWhole && rotation.isDue(batch, index, record, file.size + record - start)) {
            const written = await file.append(bytes.subarray(start, record));
            if (written.fault !== undefined) return { ...written, bytes: start - from + written.bytes };
            start = record;
            await rotation.rotate(batch, index);
          }
          record = ends[index] ?? 0;
        }
      } catch (error) {
        return { bytes: start - from, lost: 0, fault: errorText(error) };
      }
      const written: Written = await file.append(bytes.subarray(start));
      return { ...written, bytes: start - from + written.bytes };
    },
    reopen: () => file.reopen(),
    close: () => file.close(),
  };
}

/** Rename, replacing any file at the new path; does nothing when there is no file at the old one. */
export async function renameIfThere(path: string, newPath: string): Promise<void> {
  try {
    await rename(path, newPath);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

export interface SizeRotation {
  /** A line that would make the file this long or longer goes into a new one; 0 for never. */
  readonly maxBytes: number;
  /** Older files to keep; with 0 the file only grows, as in Python. */
  readonly backups: number;
  /** Called when files can't be renamed. */
  readonly onFault: (text: string) => void;
}

/** After a failed rename the file grows for this long before the next try. */
const faultPauseMs = 10_000;

/**
 * RotatingFileHandler's target: `name` becomes `name.1`, `name.1` becomes `name.2` and so on, and the oldest is replaced.
 * Names and sizes are Python's; an empty file isn't rotated, as in newer Pythons.
 */
export function createSizeRotationTarget(file: LogFile, rotation: SizeRotation): Target {
  const { maxBytes, backups, onFault } = rotation;
  let nextTryAt = 0;

  return createRotationTarget(file, {
    isFarOff: ({ bytes }, from) =>
      maxBytes <= 0 || backups <= 0 || !file.isRegular || file.size + bytes.length - from < maxBytes,
    isDue: ({ bytes, ends }, index, start, size) => {
      const end = ends[index] ?? 0;
      if (size === 0 || size + end - start < maxBytes || performance.now() < nextTryAt) return false;
      // Python adds the characters of the line to the bytes of the file.
      const chars = file.encode === undefined ? charactersOf(bytes.subarray(start, end)) : end - start;
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
