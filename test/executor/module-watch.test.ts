// Changes of files that workers have imported.

import { expect, test } from "bun:test";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ModuleWatch } from "../../src/executor/module-watch.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

async function watching(names: readonly string[]) {
  const folder = temporaryFolder();
  const path = (name: string) => join(folder.path, name);
  for (const name of names) writeFileSync(path(name), "x = 1\n");
  const changed: string[] = [];
  const watch = new ModuleWatch((file) => changed.push(file));
  const stop = watch.start();
  await watch.add(names.map(path));
  return {
    changed,
    path,
    watch,
    [Symbol.dispose]() {
      stop();
      folder[Symbol.dispose]();
    },
  };
}

const changes: Record<string, (path: string) => void> = {
  "written anew": (path) => writeFileSync(path, "x = 22\n"),
  "replaced by another file": (path) => {
    writeFileSync(`${path}.new`, "x = 2\n");
    renameSync(`${path}.new`, path);
  },
  "removed and written again": (path) => {
    rmSync(path);
    writeFileSync(path, "x = 3\n");
  },
};

test.each(Object.keys(changes))("ModuleWatch tells of a file that was %s, once", async (name) => {
  using setup = await watching(["a.py", "b.py"]);
  changes[name]?.(setup.path("b.py"));
  await until("the change", () => setup.changed.length > 0);
  expect(setup.changed).toEqual([setup.path("b.py")]);
});

test("ModuleWatch tells nothing of files that stay, are gone, or were forgotten", async () => {
  using setup = await watching(["a.py", "b.py", "c.py"]);
  rmSync(setup.path("b.py"));
  setup.watch.clear();
  await setup.watch.add([setup.path("a.py"), setup.path("missing.py")]);
  writeFileSync(setup.path("c.py"), "x = 22\n");
  await Bun.sleep(2500);
  expect(setup.changed).toEqual([]);
}, 10_000);
