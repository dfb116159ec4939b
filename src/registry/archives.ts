// The archives of deployed functions on disk: <query objects>/<name>/<version>/pickle_archive and what lies beside
// it. Installing one whole or not at all, finding one, removing old ones. What a client uploads lies in the staging
// folder (staging.ts); which versions there should be is registry.ts's affair.

import { statSync } from "node:fs";
import { cp, lstat, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, TabPyError } from "../errors.ts";
import { sweepFolder, syncFile, syncFolder, temporaryBeside, writeDurably } from "../files.ts";

export const archiveName = "pickle_archive";
/** What is known of a deployment's Python, for messages when it doesn't load; read by programs/models.py. */
export const factsName = "deployment.json";
/** Begins the name of the folder that a new archive of the same version has replaced. */
const asidePrefix = "replaced-";
/** One archive, as the workers are told of it. */
export interface Model {
  readonly name: string;
  readonly version: number;
  /** Path of the pickle_archive. */
  readonly archive: string;
  /** Tells it from every other archive that had this name and version. */
  readonly key: string;
}

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

  /** Copy, or move, `source` beside its place: the slow part, which nobody waits for. */
  async prepare(name: string, source: string, isMoved: boolean, facts: DeploymentFacts): Promise<Prepared> {
    const home = join(this.#folder, name);
    await mkdir(home, { recursive: true });
    const folder = temporaryBeside(join(home, "x"));
    try {
      if (!isMoved || !(await tryRename(source, folder))) {
        await cp(source, folder, { recursive: true, filter: refuseLinks });
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

  /** Put a prepared copy in its place, durably. What was there is moved aside, and its new folder returned. */
  async install(name: string, version: number, prepared: Prepared): Promise<string | undefined> {
    const home = join(this.#folder, name);
    const place = join(home, String(version));
    const aside = join(home, asidePrefix + version);
    await rm(aside, { recursive: true, force: true });
    const isReplaced = await tryRename(place, aside);
    await rename(prepared.folder, place);
    await syncFolder(home);
    return isReplaced ? aside : undefined;
  }

  /** The archive of a version; undefined when there is none. Looks at once: what it finds must be known at once. */
  find(name: string, version: number): Model | undefined {
    const folders = [
      join(this.#folder, name, String(version)),
      join(this.#folder, name, asidePrefix + version), // the server was killed in the middle of `install`
      join(this.#tabpyFolder, name, String(version)),
    ];
    for (const folder of folders) {
      const model = modelIn(folder, name, version);
      if (model !== undefined) return model;
    }
    return undefined;
  }

  /** Versions below `version` that are still there, the newest first. */
  async earlierVersions(name: string, version: number): Promise<number[]> {
    const entries = [
      ...(await namesIn(join(this.#folder, name))),
      ...(await namesIn(join(this.#tabpyFolder, name))),
    ];
    const numbers = entries.filter((entry) => /^\d+$/.test(entry)).map(Number);
    return [...new Set(numbers.filter((number) => number < version))].sort((a, b) => b - a);
  }

  /** Remove every version of `name` but those in `kept`, and what was moved aside. */
  async removeBut(name: string, kept: readonly number[]): Promise<void> {
    for (const folder of new Set([this.#folder, this.#tabpyFolder])) {
      const home = join(folder, name);
      const names = (await namesIn(home)).filter((entry) => /^\d+$/.test(entry));
      for (const entry of names.filter((number) => !kept.includes(Number(number)))) {
        await rm(join(home, entry), { recursive: true, force: true });
      }
      for (const version of kept) {
        const isInPlace = (await namesIn(home)).includes(String(version));
        if (isInPlace) await rm(join(home, asidePrefix + version), { recursive: true, force: true });
      }
      if (kept.length === 0) await rm(home, { recursive: true, force: true });
    }
  }

  /** Remove what servers that were killed have left half done. */
  async sweep(): Promise<void> {
    for (const name of await namesIn(this.#folder)) await sweepFolder(join(this.#folder, name));
  }
}

/** The archive in a version's folder, undefined when it isn't there. */
export function modelIn(folder: string, name: string, version: number): Model | undefined {
  const archive = join(folder, archiveName);
  const found = statSync(archive, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  return { name, version, archive, key: `${found.ino}-${found.size}-${Math.trunc(found.mtimeMs)}` };
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

/** A link may lead anywhere, now or later. */
async function refuseLinks(path: string): Promise<boolean> {
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
