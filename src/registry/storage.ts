// What a failed write in the state folder means to a client: which file could not be written, and why. Without this the
// answer would be "Internal server error".

import { open, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, errorText, TabPyError } from "../errors.ts";
import { temporaryBeside } from "../files.ts";

/** Errors that end when there is room again. */
const fullReasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
};
const otherReasons: Readonly<Record<string, string>> = {
  EROFS: "the file system is read-only",
  EACCES: "permission denied",
  EPERM: "permission denied",
};

/** Run `write`, which writes `path`. A system error becomes a TabPyError `disk-full` or `unavailable` that names it. */
export async function storing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw storageError(path, error);
  }
}

/** The error for a client whose request could not write `path`. Errors that are not the system's stay as they are. */
export function storageError(path: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (error instanceof TabPyError || errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) return error;
  const full = fullReasons[errno];
  const reason = full ?? otherReasons[errno] ?? errorText(error);
  return new TabPyError(
    full === undefined ? "unavailable" : "disk-full",
    `Cannot write "${path}": ${reason}`,
    {
      info: errorText(error),
      cause: error,
    },
  );
}

/** Write and remove a file in `folder`. Throws what prevents it, as `storing` does. */
export async function checkWritable(folder: string): Promise<void> {
  await storing(folder, async () => {
    await mkdir(folder, { recursive: true });
    const path = temporaryBeside(join(folder, "x"));
    const file = await open(path, "wx");
    try {
      await file.writeFile("x");
    } finally {
      await file.close();
      await rm(path, { force: true });
    }
  });
}
