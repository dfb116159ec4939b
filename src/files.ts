// Files that several processes share and a power cut must not tear: written whole or not at all, by one writer at a
// time. What is in them is the affair of src/registry (state.ini) and src/auth (the password file).

import { randomUUID } from "node:crypto";
import { readlinkSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { errnoOf, TabPyError } from "./errors.ts";

/** A lock of another machine, whose processes can't be looked at, is taken for forgotten after this time. */
const forgottenMs = 30_000;
/** A lock without a name in it was made by a process that ended in that moment. */
const unnamedMs = 1000;
const waitMs = 60_000;
const pauseMs = 5;

/** Tells this process from an earlier one that had the same id, as every start in a container may. */
const incarnation = randomUUID();

/** Temporary files of a server that was killed are removed after this time: another one may be at work. */
const abandonedMs = 60 * 60 * 1000;

/** What begins the name of every temporary file of ours: those of a process that was killed are left over. */
export const temporaryPrefix = ".tabpy-tmp-";

/** A name beside `path` that nothing has. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `${temporaryPrefix}${randomUUID()}`);
}

/**
 * Replace a file: whatever happens, `path` holds the old text or the new one, and after the promise has resolved the
 * new one, also when the machine loses power.
 *
 * @param mode permission bits of the new file; as the umask has it when left out.
 * @param owner who shall have the new file, where this process may give it away; else it is its own.
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

/** Remove the temporary files and folders in `folder` that nobody works on any more. */
export async function sweepFolder(folder: string): Promise<void> {
  const entries = await readdir(folder).catch(() => []);
  for (const entry of entries.filter((name) => name.startsWith(temporaryPrefix))) {
    const path = join(folder, entry);
    if ((await ageOf(path)) > abandonedMs) await rm(path, { recursive: true, force: true });
  }
}

/** Make what was written to a file durable, also where it may only be read. Windows wants it open for writing. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, process.platform === "win32" ? "r+" : "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Make the names in a folder durable. Windows can't, and needn't. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Run `change` while this process alone holds the lock of `path`, the file `<path>.lock`. Other processes wait; the
 * lock of one that was killed is taken over. For short changes: nothing refreshes the lock.
 *
 * @throws TabPyError `unavailable` when another process holds it for a minute.
 */
export async function withLock<T>(path: string, change: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  await mkdir(dirname(path), { recursive: true });
  const deadline = Date.now() + waitMs;
  for (;;) {
    const file = await openNew(lock);
    if (file !== undefined) {
      try {
        await file.writeFile(owner());
        return await change();
      } finally {
        await file.close();
        await rm(lock, { force: true });
      }
    }
    const found = await readFile(lock, "utf8").catch(() => undefined);
    if (found !== undefined && (await isForgotten(lock, found))) await takeAway(lock, found);
    else if (Date.now() > deadline) {
      throw new TabPyError("unavailable", `Cannot write "${path}": another process holds "${lock}"`);
    } else await pause();
  }
}

async function openNew(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "wx");
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return undefined;
    throw error;
  }
}

/** Who holds a lock: the machine with its space of process ids, the id, and which process that was. */
function owner(): string {
  return `${machine()} ${process.pid} ${incarnation}`;
}

function machine(): string {
  try {
    return `${hostname()}/${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

async function isForgotten(lock: string, found: string): Promise<boolean> {
  const [host, pid, named] = found.split(" ");
  if (found === "") return (await ageOf(lock)) > unnamedMs; // its owner writes its name next
  if (host !== machine() || pid === undefined) return (await ageOf(lock)) > forgottenMs;
  return Number(pid) === process.pid ? named !== incarnation : !isAlive(Number(pid));
}

async function ageOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? 0 : Date.now() - found.mtimeMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== "ESRCH";
  }
}

/**
 * Removes a forgotten lock, while no other process does: in between, its file could have become another's lock. A
 * forgotten lock changes under the eyes of its remover alone, as its owner is gone and no one can make a second one.
 */
async function takeAway(lock: string, found: string): Promise<void> {
  const taking = `${lock}.taking`;
  const file = await openNew(taking);
  if (file === undefined) {
    if ((await ageOf(taking)) > forgottenMs) await rm(taking, { force: true });
    else await pause();
    return;
  }
  try {
    if ((await readFile(lock, "utf8").catch(() => undefined)) === found) await rm(lock, { force: true });
  } finally {
    await file.close();
    await rm(taking, { force: true });
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, pauseMs * (1 + Math.random())));
}
