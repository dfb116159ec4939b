// Every path that README.md and docs/*.md name exists, and every link leads to a file and a heading.

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dir, "../..");
const documents = ["README.md", "CHANGELOG.md", ...new Bun.Glob("docs/*.md").scanSync({ cwd: root })];
const headingId = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");

test("every path of src, test and scripts that a document names exists", () => {
  const faults: string[] = [];
  for (const document of documents) {
    const text = readFileSync(join(root, document), "utf8");
    for (const [, path = ""] of text.matchAll(/`((?:src|test|scripts|bin|docs)\/[\w./-]*)[^`]*`/g)) {
      if (!existsSync(join(root, path))) faults.push(`${document} names ${path}`);
    }
  }
  expect(faults).toEqual([]);
});

test("every relative link of a document leads to a file and a heading", () => {
  const faults: string[] = [];
  for (const document of documents) {
    const text = readFileSync(join(root, document), "utf8");
    for (const [, to = "", id] of text.matchAll(/\]\((?!\w+:|\.\.\/\.\.\/)([^)#]*)(?:#([^)]*))?\)/g)) {
      const file = to === "" ? document : relative(root, join(root, dirname(document), to));
      if (!existsSync(join(root, file))) faults.push(`${document} links to ${file}`);
      else if (id !== undefined) {
        const headings = readFileSync(join(root, file), "utf8").matchAll(/^#+ (.*)$/gm);
        if (![...headings].some(([, heading = ""]) => headingId(heading) === id))
          faults.push(`${document} links to ${file}#${id}`);
      }
    }
  }
  expect(faults).toEqual([]);
});
