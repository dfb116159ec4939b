// Writing a batch to a file that rotates: record by record it is asked whether the file is to be changed first, and
// what lies between two changes is written at once. When that is says size-rotation.ts or time-rotation.ts.

import { rename } from "node:fs/promises";
import { errnoOf, errorText } from "../errors.ts";
import type { LogFile } from "./file-target.ts";
import type { Batch, Target, Written } from "./line-queue.ts";

export interface Rotation {
  /** Whether no record of the batch can be due: spares the look at each. */
  isFarOff(batch: Batch, from: number): boolean;
  /** Whether the file is to be changed before the record that begins at `begin`. `size` is the file's by then. */
  isDue(batch: Batch, index: number, begin: number, size: number): boolean;
  /** Change the file; it is open after that. */
  rotate(batch: Batch, index: number): Promise<void>;
}

export function createRotationTarget(file: LogFile, rotation: Rotation): Target {
  return {
    name: file.path,
    ...(file.encode && { encode: file.encode }),
    write: async (batch, from) => {
      const { bytes, ends } = batch;
      let begin = from; // of what is to be written
      try {
        await file.open();
        let record = 0;
        for (let index = 0; !rotation.isFarOff(batch, from) && index < ends.length; index++) {
          // The rest of a record that is half written belongs behind its first half.
          const isWhole = record >= from;
          if (isWhole && rotation.isDue(batch, index, record, file.size + record - begin)) {
            const written = await file.append(bytes.subarray(begin, record));
            if (written.fault !== undefined) return { ...written, bytes: begin - from + written.bytes };
            begin = record;
            await rotation.rotate(batch, index);
          }
          record = ends[index] ?? 0;
        }
      } catch (error) {
        return { bytes: begin - from, lost: 0, fault: errorText(error) };
      }
      const written: Written = await file.append(bytes.subarray(begin));
      return { ...written, bytes: begin - from + written.bytes };
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
