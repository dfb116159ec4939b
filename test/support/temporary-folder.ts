// Temporary folders of tests: one that lasts as long as a block (`using folder = temporaryFolder()`), and one that
// lasts as long as a test file (`const folder = folderUntil(afterAll)`).

import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TemporaryFolder extends Disposable {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** Path of a file in the folder. */
  file(name: string): string;
}

/** A new, empty folder that is removed with all that is in it. */
export function temporaryFolder(): TemporaryFolder {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "tabpy-test-")));
  return {
    path,
    file: (name) => join(path, name),
    // A program that was killed a moment ago may still write.
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }),
  };
}

/** Path of a new folder; `atEnd` takes the function that removes it. */
export function folderUntil(atEnd: (remove: () => void) => void): string {
  const folder = temporaryFolder();
  atEnd(() => folder[Symbol.dispose]());
  return folder.path;
}
