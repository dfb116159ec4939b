// Mounts a small file system that a test can fill.

import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { temporaryFolder } from "./temporary-folder.ts";

export interface SmallDisk extends Disposable {
  /** Where it is mounted. */
  readonly path: string;
  /** Path of a file on it. */
  file(name: string): string;
  /** Write until nothing more fits. */
  fill(): void;
  /** Remove what `fill()` wrote. */
  empty(): void;
  /** Make it read-only, or writable again. */
  setReadOnly(isReadOnly: boolean): void;
}

function writeUntilFull(fd: number, bytes: Buffer): void {
  try {
    for (;;) writeSync(fd, bytes);
  } catch {
    // full for this size
  }
}

/** Mount a file system of `size` ("64k", "32m"); undefined where this user may not. */
export function mountSmallDisk(size: string): SmallDisk | undefined {
  const folder = temporaryFolder();
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder.path]);
  if (mounted.status !== 0) {
    folder[Symbol.dispose]();
    return undefined;
  }
  const filler = folder.file("filler");
  return {
    path: folder.path,
    file: folder.file,
    fill: () => {
      const fd = openSync(filler, "w");
      try {
        for (const size of [65_536, 4096, 1]) writeUntilFull(fd, Buffer.alloc(size));
      } finally {
        closeSync(fd);
      }
    },
    empty: () => rmSync(filler, { force: true }),
    setReadOnly: (isReadOnly) => {
      spawnSync("mount", ["-o", isReadOnly ? "remount,ro" : "remount,rw", folder.path]);
    },
    [Symbol.dispose]: () => {
      spawnSync("umount", [folder.path]);
      folder[Symbol.dispose]();
    },
  };
}
