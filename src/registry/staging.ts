// The staging folder, where clients put an archive before they deploy it: through the file system of the same
// machine, or by an upload. Clients are not trusted: a path must stay inside the folder, and an upload is stored
// completely or not at all.

import { createWriteStream } from "node:fs";
import { lstat, mkdir, readdir, realpath, rename, rm } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { errnoOf, TabPyError } from "../errors.ts";
import { sweepFolder, syncFile, syncFolder, temporaryBeside } from "../files.ts";
import { archiveName } from "./archives.ts";
import { isEndpointName } from "./endpoint.ts";
import { storageError } from "./storage.ts";

const versionPattern = /^[1-9]\d{0,8}$/;
/** Errors of a stream whose client has disconnected. */
const endings = new Set(["ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET"]);
/** How often an upload makes its folder again that somebody has removed. */
const moveTries = 10;

/** A folder to deploy from. */
export interface Source {
  readonly folder: string;
  /** It was uploaded, so it may be moved: nobody else needs it. */
  readonly isUploaded: boolean;
}

export class Staging {
  /** The upload destination that clients are told. */
  readonly path: string;
  readonly #maxBytes: number;
  /** Folders of uploads that were not deployed yet. */
  readonly #uploaded = new Set<string>();

  /** @param maxBytes the largest archive that may be uploaded. */
  constructor(statePath: string, maxBytes: number) {
    this.path = join(statePath, "staging");
    this.#maxBytes = maxBytes;
  }

  /** The folder that clients use for a version. */
  folderOf(name: string, version: string): string {
    return join(this.path, "endpoints", name, version);
  }

  /**
   * Check the folder that a client wants to deploy from.
   *
   * @returns undefined when it doesn't exist.
   * @throws TabPyError `bad-request` when it is outside of the staging folder, or not a folder with an archive.
   */
  async source(path: string): Promise<Source | undefined> {
    const outside = new TabPyError(
      "bad-request",
      `src_path must be a folder inside the upload destination ${this.path}, got ${path}`,
    );
    const root = await realpath(this.path).catch(() => this.path);
    let folder: string;
    try {
      folder = await realpath(path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" || !isBelow(join(path), this.path)) throw outside;
      return undefined;
    }
    if (!isBelow(folder, root)) throw outside;
    if (!(await lstat(folder)).isDirectory())
      throw new TabPyError("bad-request", `src_path must be a folder, got ${path}`);
    const archive = await lstat(join(folder, archiveName)).catch(() => undefined);
    if (archive?.isFile() !== true) {
      throw new TabPyError("bad-request", `src_path must contain a file ${archiveName}, got ${path}`);
    }
    return { folder, isUploaded: this.#uploaded.has(folder) };
  }

  /** A source is being deployed; it is not an upload any more. */
  forget(source: Source): void {
    this.#uploaded.delete(source.folder);
  }

  /** A source that wasn't deployed after all is an upload again. */
  keep(source: Source): void {
    this.#uploaded.add(source.folder);
  }

  /** Remove everything that was staged for `name`. */
  async remove(name: string): Promise<void> {
    if (!isEndpointName(name)) return;
    const folder = dirname(this.folderOf(name, "1"));
    await rm(folder, { recursive: true, force: true, maxRetries: moveTries, retryDelay: 1 }); // an upload may add to it
  }

  /** Refuse an upload by its Content-Length, before it is read. Throws TabPyError `too-large`. */
  checkSize(bytes: number): void {
    if (bytes > this.#maxBytes) throw tooLarge(bytes, this.#maxBytes);
  }

  /** Remove temporary files of servers that were killed. */
  async sweep(): Promise<void> {
    const root = join(this.path, "endpoints");
    await sweepFolder(this.path);
    const versions = await readdir(root, { withFileTypes: true, recursive: true }).catch(() => []);
    for (const entry of versions.filter((one) => one.isDirectory())) {
      await sweepFolder(join(entry.parentPath, entry.name));
    }
  }

  /**
   * Store an uploaded archive, replacing an earlier one for the same name and version. A failed upload leaves nothing
   * behind.
   *
   * @returns the folder to deploy from.
   * @throws TabPyError `too-large`; `bad-request` for an invalid name or version, and when the upload ends early;
   *   `disk-full` or `unavailable` when it can't be stored.
   */
  async receive(name: string, version: string, bytes: Readable, gone?: AbortSignal): Promise<string> {
    if (!isEndpointName(name) || !versionPattern.test(version)) {
      throw new TabPyError(
        "bad-request",
        `Cannot upload to "${name}/${version}": expected endpoint name and version`,
      );
    }
    const folder = this.folderOf(name, version);
    const place = join(folder, archiveName);
    // Not in the folder of the version, which a removal of the function or another upload's end may take away meanwhile.
    const temporary = temporaryBeside(join(this.path, archiveName));
    try {
      await mkdir(this.path, { recursive: true });
      // Of a client that had gone before, the stream itself tells nothing.
      const options = gone === undefined ? {} : { signal: gone };
      await pipeline(bytes, limit(this.#maxBytes), createWriteStream(temporary, { flags: "wx" }), options);
      await syncFile(temporary);
      await moveInto(folder, temporary, place);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      if (error instanceof TabPyError) throw error;
      if (gone?.aborted === true || endings.has(errnoOf(error) ?? "")) {
        throw new TabPyError("bad-request", "The upload ended early", { cause: error });
      }
      throw storageError(place, error);
    }
    const stored = await realpath(folder).catch(() => undefined); // undefined when it was removed since
    if (stored !== undefined) this.#uploaded.add(stored);
    return folder;
  }
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder + sep);
}

/** Move an archive to its place in `folder`, which is made, as often as somebody removes it in between. */
async function moveInto(folder: string, from: string, place: string): Promise<void> {
  for (let left = moveTries; ; left--) {
    try {
      await mkdir(folder, { recursive: true });
      await rename(from, place);
      break;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" || left === 0) throw error;
    }
  }
  await syncFolder(folder).catch((error) => {
    if (errnoOf(error) !== "ENOENT") throw error;
  });
}

function limit(maxBytes: number): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      size += chunk.length;
      if (size > maxBytes) done(tooLarge(size, maxBytes));
      else done(null, chunk);
    },
  });
}

function tooLarge(size: number, maxBytes: number): TabPyError {
  return new TabPyError("too-large", `Archive with size ${size} exceeded limit of ${maxBytes} (bytes).`, {
    info: "Request Entity Too Large: TABPY_MAX_ARCHIVE_SIZE_MB",
    headers: { Connection: "close" },
  });
}
