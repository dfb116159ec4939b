// The lock that makes processes change a file one after the other: `<path>.lock`. It names its owner, so that the
// lock of a process that was killed can be taken over.

import { randomUUID } from "node:crypto";
import { readlinkSync } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { errnoOf, TabPyError } from "./errors.ts";
import { ageOf } from "./files.ts";

/** A lock of another machine, whose processes can't be checked, counts as stale after this time. */
const staleMs = 30_000;
/** A lock without an owner was left by a process that was killed between creating and writing it. */
const unnamedMs = 1000;
const waitMs = 60_000;
const pauseMs = 5;

/** Tells this process from an earlier one with the same id: in a container, each start may get the same one. */
const incarnation = randomUUID();

/**
 * Run `change` while this process holds the lock of `path`. Other processes wait; a stale lock is taken over. For short
 * changes: the lock isn't refreshed.
 *
 * @throws TabPyError `unavailable` when another process holds the lock for a minute.
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
    if (found !== undefined && (await isStale(lock, found))) await removeStale(lock, found);
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

/** The owner as the lock names it: machine and pid namespace, process id, incarnation. */
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

async function isStale(lock: string, found: string): Promise<boolean> {
  const [host, pid, named] = found.split(" ");
  if (found === "") return (await ageOf(lock)) > unnamedMs; // its owner is about to write its name
  if (host !== machine() || pid === undefined) return (await ageOf(lock)) > staleMs;
  return Number(pid) === process.pid ? named !== incarnation : !isAlive(Number(pid));
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
 * Only the process that holds `<lock>.taking` may remove a stale lock; otherwise a new owner's lock could be deleted.
 */
async function removeStale(lock: string, found: string): Promise<void> {
  const taking = `${lock}.taking`;
  const file = await openNew(taking);
  if (file === undefined) {
    if ((await ageOf(taking)) > staleMs) await rm(taking, { force: true });
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
