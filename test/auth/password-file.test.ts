import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parsePasswordFile, readPasswordFile, verifyPassword } from "../../src/auth/password-file.ts";
import { TabPyError } from "../../src/errors.ts";
import { passwordHash } from "./password-hash.ts";

/** A pair that TabPy itself has written. */
const known =
  "b8a63cf588cd2399da615042de4732f5b121c4d1042acfb91598a56d2dd3e1d7b9f785213262eddbbd00c7a8c9c3e89d7cb98f31d405cc644b1aeba92c3de40b";
const hash = "0123456789abcdef".repeat(8);

function errorOf(run: () => unknown): TabPyError {
  try {
    run();
  } catch (error) {
    if (error instanceof TabPyError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("parsePasswordFile()", () => {
  const table: Record<string, [text: string, users: string[]]> = {
    "an empty file": ["", []],
    "comments and empty lines": [`# all\n\n  \nuser1 ${hash}\n  # end\n`, ["user1"]],
    "names in lower case": [`User1 ${hash}\nBOB ${hash}`, ["user1", "bob"]],
    "CRLF line ends": [`a ${hash}\r\nb ${hash}\r\n`, ["a", "b"]],
    "a byte order mark": [`\ufeffa ${hash}\n`, ["a"]],
    "tabs and spaces around": [`  a\t \t${hash}  \n`, ["a"]],
    "a last line without end": [`a ${hash}`, ["a"]],
    "a hash in upper case": [`a ${hash.toUpperCase()}`, ["a"]],
  };
  for (const [what, [text, users]] of Object.entries(table)) {
    test(`takes ${what}`, () => expect([...parsePasswordFile(text, "f").keys()]).toEqual(users));
  }

  const faults: Record<string, [text: string, message: string]> = {
    "a name alone": [`# x\n\na ${hash}\nbob\n`, 'Cannot read "f" line 4: expected "name hash", got 1 fields'],
    "three fields": [`a ${hash} x`, 'Cannot read "f" line 1: expected "name hash", got 3 fields'],
    "a short hash": [
      `a ${hash}\nbob ${hash.slice(1)}`,
      'Cannot read "f" line 2: expected a hash of 128 hexadecimal digits behind "bob"',
    ],
    "a hash with a letter too many": [
      `bob ${hash.slice(1)}g`,
      'Cannot read "f" line 1: expected a hash of 128 hexadecimal digits behind "bob"',
    ],
    "a user twice": [
      `bob ${hash}\n\nBob ${hash}`,
      'Cannot read "f" line 3: expected each user once, got "Bob" again',
    ],
  };
  for (const [what, [text, message]] of Object.entries(faults)) {
    test(`names the line of ${what}, and no hash`, () => {
      const error = errorOf(() => parsePasswordFile(text, "f"));
      expect([error.code, error.message]).toEqual(["config", message]);
      expect(error.message).not.toContain(hash.slice(1, 20));
    });
  }
});

describe("readPasswordFile()", () => {
  test("reads a file", () => {
    const folder = mkdtempSync(join(tmpdir(), "users-"));
    try {
      writeFileSync(join(folder, "users"), `user1 ${known}\n`);
      expect([...readPasswordFile(join(folder, "users"))]).toEqual([["user1", known]]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("names the setting and the path of a file that isn't there", () => {
    const path = join(tmpdir(), "no-such-folder", "users");
    const error = errorOf(() => readPasswordFile(path));
    expect(error.code).toBe("config");
    expect(error.message).toStartWith(`Cannot read TABPY_PWD_FILE "${path}": ENOENT`);
  });
});

describe("verifyPassword()", () => {
  const users = parsePasswordFile(`user1 ${known}\nzero ${"0".repeat(128)}`, "f");
  const table: [name: string, password: string, isRight: boolean][] = [
    ["user1", "P@ssw0rd", true],
    ["USER1", "P@ssw0rd", true],
    ["user1", "p@ssw0rd", false],
    ["user1", "P@ssw0rd ", false],
    ["user1", "", false],
    ["user2", "P@ssw0rd", false],
    ["", "P@ssw0rd", false],
    ["zero", "", false],
    ["constructor", "x", false],
  ];
  for (const [name, password, isRight] of table) {
    test(`says ${isRight ? "yes" : "no"} to "${name}" with "${password}"`, async () => {
      expect(await verifyPassword(users, name, password)).toBe(isRight);
    });
  }

  test("takes a hash in upper case", async () => {
    const upper = parsePasswordFile(`bob ${passwordHash("bob", "pass word").toUpperCase()}`, "f");
    expect(await verifyPassword(upper, "bob", "pass word")).toBe(true);
  });
});
