// Replays the recorded exchanges (README.md, replay.py) with the Python of TABPY_TEST_PYTHON, one test for each area;
// `scripts/test --all` also replays the cases of /evaluate with every other CPython here.

import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { testOfAll } from "../support/all.ts";
import { binary } from "../support/binary.ts";
import { checkCases, countCases } from "../support/counts.ts";
import {
  findInterpreters,
  type Interpreter,
  isSupported,
  nameOf,
  testPython,
} from "../support/interpreters.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import golden from "./golden.json" with { type: "json" };

const replayMs = 10 * 60_000;
const packages = ["numpy", "pandas", "sklearn", "requests", "cloudpickle"];

interface Case {
  readonly id: string;
  readonly area: string;
  readonly needs?: readonly string[];
}

const wanted: readonly Case[] = golden.cases;

describe("golden", () => {
  const python = testPython();
  const missing = missingPackages(python);
  const chosen = wanted.filter((one) => lacking(one, missing) === undefined);
  let problems: ReadonlyMap<string, string>;

  beforeAll(async () => {
    ({ problems } = await replay(python, chosen));
  }, replayMs);

  for (const one of wanted) {
    const lack = lacking(one, missing);
    if (lack !== undefined) test.skip(`${one.id} (${nameOf(python)} has no ${lack})`, () => {});
  }
  for (const [area, cases = []] of Object.entries(Object.groupBy(chosen, (one) => one.area))) {
    test(area, () =>
      checkCases(
        cases,
        (one) => one.id,
        (one) => expect(problems.get(one.id)).toBe(""),
      ),
    );
  }
});

for (const python of otherPythons()) {
  testOfAll(
    `golden cases of /evaluate pass with ${nameOf(python)}`,
    async () => {
      const missing = missingPackages(python);
      const chosen = wanted.filter(
        (one) =>
          one.area.startsWith("evaluate/") &&
          lacking(one, missing) === undefined &&
          !isWordedOtherwise(one, python),
      );
      const { problems, counts } = await replay(python, chosen);
      countCases(chosen.length);
      expect([...problems].filter(([, problem]) => problem !== "")).toEqual([]);
      expect(counts).toBe(`${chosen.length} passed, 0 failed`);
    },
    replayMs,
  );
}

/** Cases whose recorded text is that of Python 3.11 and newer. */
function isWordedOtherwise({ id }: Case, { version: [, minor] }: Interpreter): boolean {
  // "local variable '_arg1' referenced before assignment" became "cannot access local variable '_arg1' ..."
  return id === "evaluate/scripts/arguments-are-variables" && minor < 11;
}

/** Every supported CPython of this machine but the one that runs the cases anyway. */
function otherPythons(): Interpreter[] {
  const own = nameOf(testPython());
  return findInterpreters().filter((one) => isSupported(one) && nameOf(one) !== own);
}

function missingPackages(python: Interpreter): string[] {
  const program = `import importlib.util
for name in ${JSON.stringify(packages)}:
    if importlib.util.find_spec(name) is None: print(name)`;
  const answer = Bun.spawnSync([python.file, "-c", program], { stdin: "ignore", stderr: "ignore" });
  return answer.stdout.toString().split("\n").filter(Boolean);
}

/** The package that a case needs and the Python hasn't. */
function lacking({ id, needs = [] }: Case, missing: readonly string[]): string | undefined {
  const needed = id === "evaluate/scripts/name-requests" ? ["requests"] : needs;
  return needed.find((name) => missing.includes(name));
}

/** Runs replay.py: for each case "" or what is wrong; and its last line. */
async function replay(
  python: Interpreter,
  chosen: readonly Case[],
): Promise<{ problems: Map<string, string>; counts: string }> {
  using folder = temporaryFolder();
  const junit = folder.file("junit.xml");
  const deviationsFile = folder.file("deviations.json");
  writeFileSync(deviationsFile, mergedDeviations());
  const argv = [testPython().file, join(import.meta.dir, "replay.py"), "--server", binary];
  argv.push("--deviations", deviationsFile, "--junit", junit);
  for (const { id } of chosen) argv.push("--case", id);
  const bin = writePythonCommand(folder.path, python);
  const run = Bun.spawn(argv, {
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, PYTHONDONTWRITEBYTECODE: "1" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [printed, errors] = await Promise.all([run.stdout.text(), run.stderr.text(), run.exited]);
  if (!existsSync(junit)) throw new Error(`replay.py broke off:\n${printed}\n${errors}`);
  const counts = printed.trim().split("\n").at(-1) ?? "";
  return { problems: parseJunit(readFileSync(junit, "utf8")), counts };
}

/** Both files of deviations as one, joined as text: JSON.parse would make 0 of a 0.0, which replay.py tells apart. */
function mergedDeviations(): string {
  const read = (name: string) => readFileSync(join(import.meta.dir, name), "utf8").trim();
  return `${read("deviations.json").slice(0, -1)}, ${read("own-deviations.json").slice(1)}`;
}

/** A folder with a `python3` that is `python`; a link would lose the packages of a virtual environment. */
function writePythonCommand(folder: string, python: Interpreter): string {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "python3"), `#!/bin/sh\nexec '${python.file}' "$@"\n`, { mode: 0o755 });
  return bin;
}

/** Case id -> the text of its failure, "" when it passed. */
function parseJunit(xml: string): Map<string, string> {
  const found = new Map<string, string>();
  let id = "";
  const rewriter = new HTMLRewriter()
    .on("testcase", {
      element(element) {
        id = `${unescapeXml(element.getAttribute("classname"))}/${unescapeXml(element.getAttribute("name"))}`;
        found.set(id, "");
      },
    })
    .on("failure", {
      element: (element) => void found.set(id, unescapeXml(element.getAttribute("message"))),
    });
  rewriter.transform(xml);
  return found;
}

function unescapeXml(text: string | null): string {
  const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return (text ?? "").replace(/&(\w+);/g, (whole, name) => entities[name] ?? whole);
}
