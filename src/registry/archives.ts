// The archives of deployed functions on disk, <query objects>/<name>/<version>/pickle_archive and the files beside it:
// installing one atomically, finding one, removing old ones. Uploads go to the staging folder (staging.ts); registry.ts
// decides which versions are installed.

import { type Stats, statSync } from "node:fs";
import { cp, lstat, mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf, TabPyError } from "../errors.ts";
import {
  sweepFolder,
  syncFile,
  syncFolder,
  temporaryBeside,
  temporaryPrefix,
  writeDurably,
} from "../files.ts";
import type { Model } from "../model.ts";
import { isEndpointName } from "./endpoint.ts";
import { storageError, storing } from "./storage.ts";

export const archiveName = "pickle_archive";
/** File with the DeploymentFacts; programs/worker/models.py quotes them when an archive doesn't load. */
export const factsName = "deployment.json";
/** Prefix for the folder of an archive that a new one of the same version has replaced. */
const asidePrefix = "replaced-";

/** The versions that made an archive, as far as its client sent them. */
export interface DeploymentFacts {
  readonly python?: string;
  readonly cloudpickle?: string;
}

/** A copy to be installed. */
export interface Prepared {
  readonly folder: string;
  /** The folder that the archive was moved out of; undefined when it was copied. */
  readonly movedFrom: string | undefined;
}

/** An archive in its place, with the lock of the state file held. */
export interface Installed {
  /** The archive that was moved aside. */
  readonly aside: Model | undefined;
  /** Put everything back to where it was. */
  readonly undo: () => Promise<void>;
}

export class Archives {
  readonly #folder: string;
  /** TabPy keeps archives here whatever TABPY_QUERY_OBJECT_PATH is, so a state folder of TabPy has them here. */
  readonly #tabpyFolder: string;

  constructor(queryObjectPath: string, statePath: string) {
    this.#folder = queryObjectPath;
    this.#tabpyFolder = join(statePath, "query_objects");
  }

  /**
   * Copy `source`, or move the archive out of it, into a temporary folder beside its place. This is the slow part,
   * and is done without a lock. Files that others upload into `source` meanwhile stay there.
   */
  async prepare(name: string, source: string, isMoved: boolean, facts: DeploymentFacts): Promise<Prepared> {
    const home = join(this.#folder, name);
    const folder = temporaryBeside(join(home, "x"));
    let movedFrom: string | undefined;
    try {
      await mkdir(folder, { recursive: true });
      if (isMoved && (await tryRename(join(source, archiveName), join(folder, archiveName)))) {
        movedFrom = source;
      } else {
        await cp(source, folder, { recursive: true, filter: isCopied });
        await syncFiles(folder);
      }
      if (facts.python !== undefined || facts.cloudpickle !== undefined) {
        await writeDurably(join(folder, factsName), JSON.stringify(facts));
      }
      await syncFolder(folder);
    } catch (error) {
      await this.discard({ folder, movedFrom });
      throw storageError(home, error);
    }
    if (movedFrom !== undefined) await rmdir(source).catch(() => {}); // something else is in it
    return { folder, movedFrom };
  }

  /**
   * Remove a copy that wasn't installed; an archive that was moved returns to its folder, so that the client can deploy
   * it once more.
   *
   * @returns whether it has returned. Never rejects: the caller has an error to report.
   */
  async discard({ folder, movedFrom }: Prepared): Promise<boolean> {
    const isBack = movedFrom !== undefined && (await putBack(folder, movedFrom).catch(() => false));
    await rm(folder, { recursive: true, force: true }).catch(() => {});
    return isBack;
  }

  /**
   * Put a prepared copy in its place, durably. The archive that was there is moved aside; it is deleted when the one
   * aside still serves, because its successor didn't load. When this rejects, the archive that was there is there again.
   */
  async install(
    name: string,
    version: number,
    prepared: Prepared,
    serving: Model | undefined,
  ): Promise<Installed> {
    const home = join(this.#folder, name);
    const place = join(home, String(version));
    const aside = join(home, asidePrefix + version);
    const isKept = serving?.archive === join(aside, archiveName);
    return storing(home, async () => {
      await rm(isKept ? place : aside, { recursive: true, force: true });
      const isMoved = !isKept && (await tryRename(place, aside));
      const undo = async () => {
        await tryRename(place, prepared.folder);
        if (isMoved) await tryRename(aside, place);
      };
      try {
        await rename(prepared.folder, place);
        await syncFolder(home);
      } catch (error) {
        await undo();
        throw error;
      }
      return { aside: isMoved ? modelIn(aside, name, version) : undefined, undo };
    });
  }

  /** The archive of a version; undefined when there is none. Synchronous, so that callers can act on what it finds. */
  find(name: string, version: number): Model | undefined {
    return this.#all(name, version)[0];
  }

  /** Whether an archive is still the one that was found. */
  isThere({ name, version, archive, key }: Model): boolean {
    return modelIn(dirname(archive), name, version)?.key === key;
  }

  /** The archives that may serve when `find(name, version)` doesn't load, the newest first. */
  async others(name: string, version: number): Promise<Model[]> {
    const earlier = (await this.#versions(name)).filter((one) => one < version).sort((a, b) => b - a);
    return [...this.#all(name, version).slice(1), ...earlier.flatMap((one) => this.#all(name, one))];
  }

  /** Whether `removeOlder` has anything to do. */
  async hasOlder(name: string, version: number): Promise<boolean> {
    for (const home of this.#homes(name)) if (olderIn(await namesIn(home), version).length > 0) return true;
    return false;
  }

  /** Remove all versions below `version`, and archives that were moved aside. */
  async removeOlder(name: string, version: number): Promise<void> {
    for (const home of this.#homes(name)) {
      for (const entry of olderIn(await namesIn(home), version)) {
        await rm(join(home, entry), { recursive: true, force: true });
      }
    }
  }

  /** Remove all versions. Copies that are being prepared under the same name stay. */
  async removeAll(name: string): Promise<void> {
    await this.removeOlder(name, Number.POSITIVE_INFINITY);
    for (const home of this.#homes(name)) await rmdir(home).catch(() => {}); // it isn't there, or isn't empty
  }

  /** Remove temporary files of servers that were killed. */
  async sweep(): Promise<void> {
    for (const name of await namesIn(this.#folder)) await sweepFolder(join(this.#folder, name));
  }

  /** The folders with versions of `name`; none for an invalid name, which could lead elsewhere. */
  #homes(name: string): string[] {
    if (!isEndpointName(name)) return [];
    return [...new Set([this.#folder, this.#tabpyFolder])].map((folder) => join(folder, name));
  }

  /** The archives of a version, the one to use first. */
  #all(name: string, version: number): Model[] {
    const folders = this.#homes(name).flatMap((home) => [
      join(home, String(version)),
      join(home, asidePrefix + version), // it served before, or a server was killed inside `install`
    ]);
    return folders.map((folder) => modelIn(folder, name, version)).filter((model) => model !== undefined);
  }

  async #versions(name: string): Promise<number[]> {
    const entries = (await Promise.all(this.#homes(name).map(namesIn))).flat();
    return [...new Set(entries.map(versionOf).filter((version) => version !== undefined))];
  }
}

/** The archive in a version's folder; undefined when `stat` fails for it. */
function modelIn(folder: string, name: string, version: number): Model | undefined {
  const archive = join(folder, archiveName);
  let found: Stats;
  try {
    found = statSync(archive);
  } catch {
    return undefined;
  }
  return { name, version, archive, key: `${found.ino}-${found.size}-${Math.trunc(found.mtimeMs)}` };
}

/** The version of a folder, in its place or moved aside; undefined for other folders. */
function versionOf(entry: string): number | undefined {
  const digits = /^(?:replaced-)?(\d+)$/.exec(entry)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The folders of a function that are not needed once `version` serves. */
function olderIn(entries: readonly string[], version: number): string[] {
  return entries.filter((entry) => {
    const found = versionOf(entry);
    if (found === undefined || found > version) return false;
    return found < version || (entry !== String(version) && entries.includes(String(version)));
  });
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

/** Move an archive back, unless another one was uploaded meanwhile. Resolves with whether it was moved. */
async function putBack(folder: string, source: string): Promise<boolean> {
  await mkdir(source, { recursive: true });
  const found = await readdir(source);
  return !found.includes(archiveName) && tryRename(join(folder, archiveName), join(source, archiveName));
}

/** Resolves with whether `from` was renamed: false when it doesn't exist or is on another file system. */
async function tryRename(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "EXDEV") return false;
    throw error;
  }
}

/** Throws for links, which may lead anywhere, now or later. */
async function isCopied(path: string): Promise<boolean> {
  if (basename(path).startsWith(temporaryPrefix)) return false;
  const found = await lstat(path);
  if (found.isFile() || found.isDirectory()) return true;
  throw new TabPyError("bad-request", `src_path must contain only files and folders, got a link "${path}"`);
}

async function syncFiles(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await syncFolder(path);
    else await syncFile(path);
  }
}
