import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TabPyError } from "../../src/errors.ts";
import { readServiceInfo, type ServiceInfo } from "../../src/registry/service-info.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const unset: ServiceInfo = {
  name: "TabPy Server",
  description: "",
  creationTime: "0",
  corsHeaders: {},
  prefix: "",
};

/** The service of a folder with this state.ini, or without the file for undefined. */
function read(state: string | undefined): ServiceInfo {
  using folder = temporaryFolder();
  if (state !== undefined) writeFileSync(folder.file("state.ini"), state);
  return readServiceInfo(folder.path);
}

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof TabPyError && error.code === "config") return error.message;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("readServiceInfo()", () => {
  test("reads what TabPy writes", () => {
    const state = `[Service Info]
Name = My Server
Description = 50 %% more: a = b ; c
Creation Time = 1469511182
Access-Control-Allow-Origin = https://tableau.example
Access-Control-Allow-Headers = Origin, Content-Type
Access-Control-Allow-Methods = GET, OPTIONS, POST
Subdirectory = sub

[Query Objects Service Versions]

[Query Objects Docstrings]

[Meta]
Revision Number = 1
`;
    expect(read(state)).toEqual({
      name: "My Server",
      description: "50 % more: a = b ; c",
      creationTime: "1469511182",
      corsHeaders: {
        "Access-Control-Allow-Origin": "https://tableau.example",
        "Access-Control-Allow-Headers": "Origin, Content-Type",
        "Access-Control-Allow-Methods": "GET, OPTIONS, POST",
      },
      prefix: "/sub",
    });
  });

  const empty: Record<string, string | undefined> = {
    "a new folder": undefined,
    "an empty file": "",
    "a file without the section": "[Meta]\nRevision Number = 1\n",
    "a section without options": "[Service Info]\n",
    "empty options":
      "[Service Info]\nName =\nDescription = \nCreation Time =\nAccess-Control-Allow-Origin =\nSubdirectory =\n",
    "options in another case": "[Service Info]\nname = x\nsubdirectory = y\n",
  };
  for (const [what, state] of Object.entries(empty)) {
    test(`has defaults for ${what}`, () => expect(read(state)).toEqual(unset));
  }

  test("has defaults for a missing folder", () => {
    expect(readServiceInfo(join(tmpdir(), "no-such-folder"))).toEqual(unset);
  });

  const prefixes = [
    ["sub", "/sub"],
    ["/sub/", "/sub"],
    ["//a/b//", "/a/b"],
    ["a.b_c~d-e", "/a.b_c~d-e"],
    ["/", ""],
  ] as const;
  for (const [value, prefix] of prefixes) {
    test(`makes "${prefix}" of the Subdirectory "${value}"`, () => {
      expect(read(`[Service Info]\nSubdirectory = ${value}\n`).prefix).toBe(prefix);
    });
  }

  for (const value of ["a b", ":name", "a*", "sub?x", "größe", "%%41", "a\n b"]) {
    test(`refuses the Subdirectory ${JSON.stringify(value)} and names its line`, () => {
      const message = messageOf(() => read(`[Service Info]\nName = x\nSubdirectory = ${value}\n`));
      expect(message).toContain("state.ini line 3): expected letters, digits and . _ ~ - /");
    });
  }

  for (const value of ["a\n b", "日本"]) {
    test(`refuses ${JSON.stringify(value)} for a header`, () => {
      const message = messageOf(() => read(`[Service Info]\nAccess-Control-Allow-Origin = ${value}\n`));
      expect(message).toMatch(
        /^Cannot use Access-Control-Allow-Origin ".*line 2\): expected one line of text$/s,
      );
    });
  }

  test("names the file and the line of invalid syntax", () => {
    const message = messageOf(() => read("[Service Info]\nName = x\nnonsense\n"));
    expect(message).toContain("state.ini");
    expect(message).toMatch(/line 3|:3\b/);
  });

  test("names a file that can't be read", () => {
    using folder = temporaryFolder();
    mkdirSync(folder.file("state.ini"));
    expect(messageOf(() => readServiceInfo(folder.path))).toContain(
      `Cannot read the state file "${folder.file("state.ini")}": EISDIR`,
    );
  });
});
