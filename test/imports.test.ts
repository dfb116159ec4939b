// Which part of src may import which, and that every file that a comment names exists.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";

const root = join(import.meta.dir, "..");

/** From the parts that import none to the one that imports all; a part imports only from groups before its own. */
const order: readonly (readonly string[])[] = [
  ["src/errors.ts", "src/model.ts"],
  [
    "src/lifecycle.ts",
    "src/ini.ts",
    "src/files.ts",
    "src/memory-account.ts",
    "src/python-json.ts",
    "src/python-json-fault.ts",
  ],
  ["src/reload.ts", "src/file-lock.ts"],
  ["src/logging/"],
  ["src/config/"],
  ["src/programs/"],
  ["src/auth/", "src/registry/", "src/executor/", "src/web/"],
  ["src/http/"],
  ["src/main.ts"],
  ["src/cli/"],
  ["bin/"],
];

function groupOf(path: string): number {
  return order.findIndex((parts) => parts.some((part) => path === part || path.startsWith(part)));
}

function partOf(path: string): string | undefined {
  return order.flat().find((part) => path === part || path.startsWith(part));
}

function filesOf(pattern: string): string[] {
  return [...new Bun.Glob(pattern).scanSync({ cwd: root })].sort();
}

test("imports go from right to left, never sideways", () => {
  const faults: string[] = [];
  for (const path of filesOf("{src,bin}/**/*.ts")) {
    if (path.endsWith(".d.ts")) continue;
    if (groupOf(path) === -1) faults.push(`${path} stands nowhere in the order`);
    const text = readFileSync(join(root, path), "utf8");
    for (const [, from = ""] of text.matchAll(/\b(?:from|import) "(\.[^"]*)"/g)) {
      const target = normalize(join(dirname(path), from));
      if (!/^(src|bin)\//.test(target) || partOf(target) === partOf(path)) continue;
      if (groupOf(target) >= groupOf(path)) faults.push(`${path} imports ${target}`);
    }
  }
  expect(faults).toEqual([]);
});

test("every .ts and .py file that a comment names exists", () => {
  const files = filesOf("{src,bin,scripts,test}/**/*.{ts,py}");
  const names = new Set(files.map((path) => basename(path)));
  const faults: string[] = [];
  for (const path of files.filter((file) => !file.startsWith("test/golden/"))) {
    for (const comment of commentsOf(path)) {
      for (const [, named = ""] of comment.matchAll(/(?<![\w./*-])((?:[\w-]+\/)*[\w-]+\.(?:ts|py))\b/g)) {
        const isThere = named.includes("/")
          ? files.some((file) => file === named || file.endsWith(`/${named}`))
          : names.has(named);
        if (!isThere) faults.push(`${path} names ${named}`);
      }
    }
  }
  expect(faults).toEqual([]);
});

/** Comments and docstrings, approximately: strings that look like them do no harm. */
function commentsOf(path: string): string[] {
  const text = readFileSync(join(root, path), "utf8");
  const pattern = path.endsWith(".py") ? /#.*$|"""[\s\S]*?"""/gm : /\/\/.*$|\/\*[\s\S]*?\*\//gm;
  return [...text.matchAll(pattern)].map(([comment]) => comment);
}
