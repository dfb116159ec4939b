// Durable writes: a file is replaced completely or not at all, even in a power cut. file-lock.ts keeps concurrent
// writers apart.

import { randomUUID } from "node:crypto";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Temporary files are removed at this age: younger ones may be in use by another server. */
const abandonedMs = 60 * 60 * 1000;

/** The prefix of the names of temporary files; a process that is killed leaves its own behind. */
export const temporaryPrefix = ".tabpy-tmp-";

/** A unique path in the folder of `path`. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `${temporaryPrefix}${randomUUID()}`);
}

/**
 * Replace a file: at any moment `path` has the old content or the new, and once the promise has resolved the new
 * content survives a power cut.
 *
 * @param mode permission bits of the new file; from the umask when omitted.
 * @param owner owner of the new file, where this process may set it; otherwise the process owns it.
 */
export async function writeDurably(
  path: string,
  text: string | Uint8Array,
  mode?: number,
  owner?: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    const file = await open(temporary, "wx", mode ?? 0o666);
    try {
      if (mode !== undefined) await file.chmod(mode);
      await file.writeFile(text);
      if (owner !== undefined) await file.chown(owner.uid, owner.gid).catch(() => {});
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Remove the abandoned temporary files and folders in `folder`. */
export async function sweepFolder(folder: string): Promise<void> {
  const entries = await readdir(folder).catch(() => []);
  for (const entry of entries.filter((name) => name.startsWith(temporaryPrefix))) {
    const path = join(folder, entry);
    if ((await ageOf(path)) > abandonedMs) await rm(path, { recursive: true, force: true });
  }
}

/** fsync a file that may be read-only. Windows needs it open for writing. */
export async function syncFile(path: string): Promise<void> {
  await sync(path, process.platform === "win32" ? "r+" : "r");
}

/** fsync a folder, which makes the names in it durable. Windows can't, and doesn't need to. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform !== "win32") await sync(path, "r");
}

async function sync(path: string, flags: "r" | "r+"): Promise<void> {
  const file = await open(path, flags);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Milliseconds since the file was modified; 0 when it doesn't exist. */
export async function ageOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? 0 : Date.now() - found.mtimeMs;
}

/** Whether users outside the file's group may read or write it; false on Windows, which has no such bits. */
export async function isOpenToOthers(path: string): Promise<boolean> {
  return process.platform !== "win32" && ((await stat(path)).mode & 0o006) !== 0;
}
