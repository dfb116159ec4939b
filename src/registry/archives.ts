// The archives of deployed functions on disk: <query objects>/<name>/<version>/pickle_archive and what lies beside
// it. Installing one whole or not at all, finding one, removing old ones. What a client uploads lies in the staging
// folder (staging.ts); which versions there should be is registry.ts's affair.

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

export const archiveName = "pickle_archive";
/** What is known of a deployment's Python, for messages when it doesn't load; read by programs/worker/models.py. */
export const factsName = "deployment.json";
/** Begins the name of the folder that a new archive of the same version has replaced. */
const asidePrefix = "replaced-";

/** The Python that made an archive, where its client said so. */
export interface DeploymentFacts {
  readonly python?: string;
  readonly cloudpickle?: string;
}

/** A copy that waits to be put in its place. */
export interface Prepared {
  readonly folder: string;
}

export class Archives {
  readonly #folder: string;
  /** TabPy keeps archives here whatever TABPY_QUERY_OBJECT_PATH says: those of its state folders are found here. */
  readonly #tabpyFolder: string;

  constructor(queryObjectPath: string, statePath: string) {
    this.#folder = queryObjectPath;
    this.#tabpyFolder = join(statePath, "query_objects");
  }

  /**
   * Copy `source`, or move the archive out of it, beside its place: the slow part, which nobody waits for. What others
   * upload into `source` meanwhile stays there.
   */
  async prepare(name: string, source: string, isMoved: boolean, facts: DeploymentFacts): Promise<Prepared> {
    const folder = temporaryBeside(join(this.#folder, name, "x"));
    try {
      await mkdir(folder, { recursive: true });
      if (isMoved && (await tryRename(join(source, archiveName), join(folder, archiveName)))) {
        await rmdir(source).catch(() => {}); // something else is in it
      } else {
        await cp(source, folder, { recursive: true, filter: isCopied });
        await syncFiles(folder);
      }
      if (facts.python !== undefined || facts.cloudpickle !== undefined) {
        await writeDurably(join(folder, factsName), JSON.stringify(facts));
      }
      await syncFolder(folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    return { folder };
  }

  async discard(prepared: Prepared): Promise<void> {
    await rm(prepared.folder, { recursive: true, force: true });
  }

  /**
   * Put a prepared copy in its place, durably. What was there is moved aside, unless what serves lies there already,
   * moved by a deployment that failed to load.
   *
   * @returns the archive that was moved aside.
   */
  async install(
    name: string,
    version: number,
    prepared: Prepared,
    serving: Model | undefined,
  ): Promise<Model | undefined> {
    const home = join(this.#folder, name);
    const place = join(home, String(version));
    const aside = join(home, asidePrefix + version);
    const isKept = serving?.archive === join(aside, archiveName);
    await rm(isKept ? place : aside, { recursive: true, force: true });
    const isMoved = !isKept && (await tryRename(place, aside));
    await rename(prepared.folder, place);
    await syncFolder(home);
    return isMoved ? modelIn(aside, name, version) : undefined;
  }

  /** The archive of a version; undefined when there is none. Looks at once: what it finds must be known at once. */
  find(name: string, version: number): Model | undefined {
    return this.#all(name, version)[0];
  }

  /** Whether an archive that was found is still there. */
  isThere({ name, version, archive, key }: Model): boolean {
    return modelIn(dirname(archive), name, version)?.key === key;
  }

  /** What else may serve when `find(name, version)` doesn't load, the newest first. */
  async others(name: string, version: number): Promise<Model[]> {
    const earlier = (await this.#versions(name)).filter((one) => one < version).sort((a, b) => b - a);
    return [...this.#all(name, version).slice(1), ...earlier.flatMap((one) => this.#all(name, one))];
  }

  /** Whether `removeOlder` has anything to do. */
  async hasOlder(name: string, version: number): Promise<boolean> {
    for (const home of this.#homes(name)) if (olderIn(await namesIn(home), version).length > 0) return true;
    return false;
  }

  /** Remove all versions below `version`, and what was moved aside. */
  async removeOlder(name: string, version: number): Promise<void> {
    for (const home of this.#homes(name)) {
      for (const entry of olderIn(await namesIn(home), version)) {
        await rm(join(home, entry), { recursive: true, force: true });
      }
    }
  }

  /** Remove all versions. What is being prepared under the same name stays. */
  async removeAll(name: string): Promise<void> {
    await this.removeOlder(name, Number.POSITIVE_INFINITY);
    for (const home of this.#homes(name)) await rmdir(home).catch(() => {}); // it isn't there, or isn't empty
  }

  /** Remove what servers that were killed have left half done. */
  async sweep(): Promise<void> {
    for (const name of await namesIn(this.#folder)) await sweepFolder(join(this.#folder, name));
  }

  /** The folders with versions of `name`; none for what is no name, and might lead elsewhere. */
  #homes(name: string): string[] {
    if (!isEndpointName(name)) return [];
    return [...new Set([this.#folder, this.#tabpyFolder])].map((folder) => join(folder, name));
  }

  /** The archives of a version, the one to use first. */
  #all(name: string, version: number): Model[] {
    const folders = this.#homes(name).flatMap((home) => [
      join(home, String(version)),
      join(home, asidePrefix + version), // what served before, or a server was killed in the middle of `install`
    ]);
    return folders.map((folder) => modelIn(folder, name, version)).filter((model) => model !== undefined);
  }

  async #versions(name: string): Promise<number[]> {
    const entries = (await Promise.all(this.#homes(name).map(namesIn))).flat();
    return [...new Set(entries.map(versionOf).filter((version) => version !== undefined))];
  }
}

/** The archive in a version's folder, undefined when it isn't there or can't be looked at. */
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

/** The version that a folder holds or held, undefined for another folder. */
function versionOf(entry: string): number | undefined {
  const digits = /^(?:replaced-)?(\d+)$/.exec(entry)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Of the folders of a function those that nobody needs once `version` serves. */
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

/** Whether `from` was there and is `to` now. False also for another file system. */
async function tryRename(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "EXDEV") return false;
    throw error;
  }
}

/** Refuses links, which may lead anywhere, now or later. */
async function isCopied(path: string): Promise<boolean> {
  if (basename(path).startsWith(temporaryPrefix)) return false;
  const found = await lstat(path);
  if (found.isFile() || found.isDirectory()) return true;
  throw new TabPyError("bad-request", `src_path must hold files and folders only, got a link "${path}"`);
}

async function syncFiles(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await syncFolder(path);
    else await syncFile(path);
  }
}
