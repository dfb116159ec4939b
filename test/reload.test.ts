import { describe, expect, test } from "bun:test";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { Reloader } from "../src/reload.ts";
import { type TemporaryFolder, temporaryFolder } from "./support/temporary-folder.ts";
import { until } from "./support/until.ts";

/** A reloader of one part with the files `names`; `reloads` counts, `fault` makes it fail. */
async function startReloader(folder: TemporaryFolder, ...names: string[]) {
  const state = { reloads: 0, fault: "" };
  const reports: string[] = [];
  const part = {
    what: "thing",
    files: names.map(folder.file),
    reload: async () => {
      state.reloads++;
      if (state.fault !== "") throw new Error(state.fault);
    },
  };
  const reloader = new Reloader([part], (message) => reports.push(message));
  await reloader.start();
  return { state, reports, reloader, [Symbol.asyncDispose]: () => reloader.stop() };
}

describe("Reloader", () => {
  const changes: Record<string, (path: string) => void> = {
    "is written": (path) => writeFileSync(path, "other"),
    "is replaced by one of the same size": (path) => {
      writeFileSync(`${path}.new`, "new");
      renameSync(`${path}.new`, path);
    },
    "is taken away": (path) => rmSync(path),
  };
  for (const [what, change] of Object.entries(changes)) {
    test(`reloads when a file ${what}, once`, async () => {
      using folder = temporaryFolder();
      writeFileSync(folder.file("a"), "old");
      writeFileSync(folder.file("b"), "old");
      await using one = await startReloader(folder, "a", "b");
      change(folder.file("b"));
      await until("a reload", () => one.state.reloads > 0);
      await one.reloader.reload();
      expect(one.state.reloads).toBe(2);
    });
  }

  test("reload() reloads whether files have changed or not", async () => {
    using folder = temporaryFolder();
    await using one = await startReloader(folder, "absent");
    await one.reloader.reload();
    await one.reloader.reload();
    expect(one.state.reloads).toBe(2);
  });

  test("reports a reload that fails, and tries again when the file has changed again", async () => {
    using folder = temporaryFolder();
    writeFileSync(folder.file("a"), "old");
    await using one = await startReloader(folder, "a");
    one.state.fault = "line 3 is wrong";
    writeFileSync(folder.file("a"), "wrong");
    await until("a report", () => one.reports.length > 0);
    expect(one.reports).toEqual([
      "Cannot read the thing again, so the earlier one stays in use: line 3 is wrong",
    ]);
    one.state.fault = "";
    writeFileSync(folder.file("a"), "right again");
    await until("a reload", () => one.state.reloads === 2);
    expect(one.reports).toHaveLength(1);
  });

  test("reloads eventually when a file keeps changing", async () => {
    using folder = temporaryFolder();
    writeFileSync(folder.file("a"), "");
    await using one = await startReloader(folder, "a");
    let length = 0;
    const writer = setInterval(() => writeFileSync(folder.file("a"), "x".repeat(++length)), 20);
    try {
      await until("a reload", () => one.state.reloads > 0);
    } finally {
      clearInterval(writer);
    }
  });

  test("stop() may be called twice, and before start()", async () => {
    const reloader = new Reloader([], () => {});
    await reloader.stop();
    await reloader.start();
    await reloader.stop();
  });
});
