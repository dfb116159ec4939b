// A registry on real folders, with a function in place of the processes that load archives. It reads the text of an
// archive: "bad ..." doesn't load, everything else does, and a test can delay the load of a text.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Model } from "../../src/model.ts";
import { createLogger } from "../support/logger.ts";
import { Registry, type RegistryOptions } from "../../src/registry/registry.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

export interface TestRegistry extends AsyncDisposable {
  readonly registry: Registry;
  readonly folder: string;
  /** Text of each archive that was loaded, and the process: `own` or `shared`. */
  readonly loads: readonly string[];
  readonly logLines: readonly string[];
  /** Messages of the audit log. */
  audited(): readonly string[];
  /** Loads of archives with this text wait until the returned function is called. */
  hold(text: string): () => void;
  /** Resolves when a load of an archive with this text has started. */
  loading(text: string): Promise<void>;
  /** Put an archive into the staging folder. Returns the folder that a client would deploy. */
  stage(text: string, name?: string): string;
  /** Deploy an archive and wait for its load: version 1. */
  add(name: string, text: string, body?: object): Promise<void>;
  /** The same for a new version or for the current one. */
  update(name: string, text: string, body?: object): Promise<void>;
  /** The text of the archive that serves `name`, or the reason why none does. */
  serves(name: string): string;
  status(name: string): unknown;
}

export interface FolderOptions extends Partial<RegistryOptions> {
  /** An existing folder. Default: a new one, removed at the end. */
  readonly folder?: string;
}

/** A registry that has not been started, so that only what the test deploys is loaded. */
export function openRegistry({ folder, ...options }: FolderOptions = {}): TestRegistry {
  const temporary = folder === undefined ? temporaryFolder() : undefined;
  const home = folder ?? temporary?.path ?? "";
  const loads: string[] = [];
  const logLines: string[] = [];
  const held = new Map<string, Promise<void>>();
  const started = new Map<string, PromiseWithResolvers<void>>();
  const startOf = (text: string) => {
    const found = started.get(text) ?? Promise.withResolvers<void>();
    started.set(text, found);
    return found;
  };
  const tryLoad = async (model: Model, process: "own" | "shared") => {
    const text = readFileSync(model.archive, "utf8");
    loads.push(`${text}, ${process}`);
    startOf(text).resolve();
    await held.get(text);
    return text.startsWith("bad") ? `no pickle: ${text}` : undefined;
  };
  const registry = new Registry({
    statePath: home,
    queryObjectPath: join(home, "query_objects"),
    maxArchiveBytes: 1000,
    tryAlone: (model) => tryLoad(model, "own"),
    tryShared: (model) => tryLoad(model, "shared"),
    log: createLogger((line) => logLines.push(line), "INFO", "registry.ts"),
    ...options,
  });
  let stagings = 0;
  const stage = (text: string, name = "x") => {
    const place = join(registry.uploadPath, "endpoints", name, String(++stagings));
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "pickle_archive"), text);
    return place;
  };
  return {
    registry,
    folder: home,
    loads,
    logLines,
    audited: () =>
      logLines.flatMap((line) => / \[INFO\] \(audit\.ts:audit:\d+\): (.*)/.exec(line)?.[1] ?? []),
    hold: (text) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      held.set(text, promise);
      return resolve;
    },
    loading: (text) => startOf(text).promise,
    stage,
    add: async (name, text, body = {}) => {
      await registry.add({ name, type: "model", src_path: stage(text, name), ...body });
      await registry.settled(settleMs);
    },
    update: async (name, text, body = {}) => {
      await registry.update(name, { src_path: stage(text, name), ...body });
      await registry.settled(settleMs);
    },
    serves: (name) => {
      const found = registry.resolve(name);
      return found.kind === "model"
        ? textOf(found.model)
        : found.kind === "unknown"
          ? "unknown"
          : found.reason;
    },
    status: (name) => registry.status()[name],
    [Symbol.asyncDispose]: async () => {
      await registry.stop();
      await registry.settled(settleMs);
      temporary?.[Symbol.dispose]();
    },
  };
}

/** Longer than any load of a test; reached only when a test doesn't release a held load. */
const settleMs = 10_000;

export const newVersion = { should_update_version: true };

function textOf({ archive }: Model): string {
  return readFileSync(archive, "utf8");
}

/** Another registry on the same folder, after its loads at start-up. */
export async function restart(one: TestRegistry): Promise<TestRegistry> {
  const again = openRegistry({ folder: one.folder });
  await again.registry.start();
  await again.registry.loadedAtStart;
  return again;
}

/** The folders of the archives of a function. */
export function archivesOf({ folder }: TestRegistry, name: string): string[] {
  const home = join(folder, "query_objects", name);
  return existsSync(home) ? readdirSync(home).sort() : [];
}

/** All files below a folder with their contents. */
export function snapshot(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path, readFileSync(path, "utf8")]),
  );
}
