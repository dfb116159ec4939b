import { describe, expect, test } from "bun:test";
import {
  chownSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  changePasswordFile,
  parsePasswordFile,
  readPasswordFile,
  withUser,
} from "../../src/auth/password-file.ts";
import { TabPyError } from "../../src/errors.ts";
import { hostilePasswordFile } from "../support/hostile.ts";
import { createRandom } from "../support/random.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** A pair that TabPy itself wrote. */
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
    "a bcrypt hash": [`a $2b$10$${"x".repeat(53)}`, ["a"]],
    "carriage returns alone": [`a ${hash}\rb ${hash}`, ["a", "b"]],
    "a hash in upper case": [`a ${hash.toUpperCase()}`, ["a"]],
  };
  for (const [what, [text, users]] of Object.entries(table)) {
    test(`takes ${what}`, () => expect([...parsePasswordFile(text, "f").keys()]).toEqual(users));
  }

  const faults: Record<string, [text: string, message: string]> = {
    "only a name": [
      `# x\n\na ${hash}\nbob\n`,
      'Cannot read "f" line 4: expected "name hash", got only a name',
    ],
    "three fields": [`a ${hash} x`, 'Cannot read "f" line 1: expected "name hash", got 3 fields'],
    "a short hash": [
      `a ${hash}\nbob ${hash.slice(1)}`,
      'Cannot read "f" line 2: expected a hash after "bob": 128 hexadecimal digits, or bcrypt',
    ],
    "a hash with a letter too many": [
      `bob ${hash.slice(1)}g`,
      'Cannot read "f" line 1: expected a hash after "bob": 128 hexadecimal digits, or bcrypt',
    ],
    "a bcrypt hash that would take minutes": [
      `bob $2b$16$${"x".repeat(53)}`,
      'Cannot read "f" line 1: expected a hash after "bob"',
    ],
    "a bcrypt hash of another kind": [
      `bob $2x$10$${"x".repeat(53)}`,
      'Cannot read "f" line 1: expected a hash after "bob"',
    ],
    "a user twice": [
      `bob ${hash}\n\nBob ${hash}`,
      'Cannot read "f" line 3: expected each user once, got "Bob" again',
    ],
  };
  for (const [what, [text, message]] of Object.entries(faults)) {
    test(`names the line of ${what}, and no hash`, () => {
      const error = errorOf(() => parsePasswordFile(text, "f"));
      expect([error.code, error.message.slice(0, message.length)]).toEqual(["config", message]);
      expect(error.message).not.toContain(hash.slice(1, 20));
    });
  }
});

describe("readPasswordFile()", () => {
  test("reads a file", async () => {
    using folder = temporaryFolder();
    writeFileSync(folder.file("users"), `User1 ${known}\n`);
    expect([...(await readPasswordFile(folder.file("users")))]).toEqual([
      ["user1", { name: "user1", hash: known }],
    ]);
  });

  test("names the setting and the path of a missing file", async () => {
    const path = join(tmpdir(), "no-such-folder", "users");
    const error = await readPasswordFile(path).catch((thrown) => thrown);
    expect(error.code).toBe("config");
    expect(error.message).toStartWith(`Cannot read TABPY_PWD_FILE "${path}": ENOENT`);
  });
});

describe("withUser()", () => {
  const sound = `# all users\r\n\r\n  Alice\t${hash}  \r\n# bob, of sales\r\nbob ${hash}`;
  const table: Record<string, [text: string, name: string, hash: string | undefined, changed: string]> = {
    "adds to an empty file": ["", "a", "H", "a H\n"],
    "adds behind a last line without end": [`# x\na ${hash}`, "b", "H", `# x\na ${hash}\nb H\n`],
    "adds with the line ends of the file": [sound, "carl", "H", `${sound}\r\ncarl H\r\n`],
    "adds to a byte order mark alone": ["\xef\xbb\xbf", "a", "H", "\xef\xbb\xbfa H\n"],
    "replaces a hash and nothing else, the name in lower case": [
      sound,
      "alice",
      "H",
      `# all users\r\n\r\n  alice H\r\n# bob, of sales\r\nbob ${hash}`,
    ],
    "replaces behind a byte order mark": [`\ufeffa ${hash}\n`, "A", "H", "\ufeffa H\n"],
    "adds a name in lower case": ["", "Domain\\User", "H", "domain\\user H\n"],
    "takes a line away": [sound, "ALICE", undefined, `# all users\r\n\r\n# bob, of sales\r\nbob ${hash}`],
    "takes the last line away": [`a ${hash}\nb ${hash}\n`, "b", undefined, `a ${hash}\n`],
    "takes nobody away who isn't there": [sound, "carl", undefined, sound],
    "leaves a comment that begins with the name": [`#bob\nbob ${hash}\n`, "bob", "H", "#bob\nbob H\n"],
  };
  for (const [what, [text, name, newHash, changed]] of Object.entries(table))
    test(what, () => expect(withUser(text, name, newHash)).toBe(changed));
});

describe("changePasswordFile()", () => {
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

  test("creates a file that only its owner can read", async () => {
    using folder = temporaryFolder();
    const path = folder.file("users");
    await changePasswordFile(path, async (text, users) => {
      expect([text, users.size]).toEqual(["", 0]);
      return `a ${hash}\n`;
    });
    expect([readFileSync(path, "utf8"), mode(path)]).toEqual([`a ${hash}\n`, "600"]);
  });

  test("keeps every byte of other lines, and removes the permissions of others", async () => {
    using folder = temporaryFolder();
    const path = folder.file("users");
    const odd = Buffer.concat([Buffer.from("# caf\xe9 \xff\x00\n", "latin1"), Buffer.from(`zoë ${hash}\n`)]);
    writeFileSync(path, odd, { mode: 0o644 });
    await changePasswordFile(path, async (text) => withUser(text, "a", hash));
    expect(readFileSync(path)).toEqual(Buffer.concat([odd, Buffer.from(`a ${hash}\n`)]));
    expect(mode(path)).toBe("600");
  });

  test("leaves an invalid file as it is, and names the invalid line", async () => {
    using folder = temporaryFolder();
    const path = folder.file("users");
    writeFileSync(path, `a ${hash}\nbob\n`);
    const change = changePasswordFile(path, async (text) => withUser(text, "c", hash));
    await expect(change).rejects.toThrow(
      `Cannot read "${path}" line 2: expected "name hash", got only a name`,
    );
    expect(readFileSync(path, "utf8")).toBe(`a ${hash}\nbob\n`);
    expect(readdirSync(folder.path)).toEqual(["users"]);
  });

  test("leaves the file as it is when the change fails", async () => {
    using folder = temporaryFolder();
    const path = folder.file("users");
    writeFileSync(path, `a ${hash}\n`);
    await expect(changePasswordFile(path, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(readFileSync(path, "utf8")).toBe(`a ${hash}\n`);
  });

  test("keeps a symbolic link, and changes the file that it names", async () => {
    using folder = temporaryFolder();
    writeFileSync(folder.file("real"), `a ${hash}\n`);
    symlinkSync("real", folder.file("users"));
    await changePasswordFile(folder.file("users"), async (text) => withUser(text, "b", hash));
    expect(lstatSync(folder.file("users")).isSymbolicLink()).toBe(true);
    expect(readFileSync(folder.file("real"), "utf8")).toBe(`a ${hash}\nb ${hash}\n`);
  });

  test.skipIf(process.getuid?.() !== 0)("keeps owner and group, which root could lose", async () => {
    using folder = temporaryFolder();
    const path = folder.file("users");
    writeFileSync(path, `a ${hash}\n`, { mode: 0o600 });
    chownSync(path, 12345, 23456);
    await changePasswordFile(path, async (text) => withUser(text, "b", hash));
    const { uid, gid } = statSync(path);
    expect([uid, gid]).toEqual([12345, 23456]);
  });
});

test("parsePasswordFile() reads or refuses 10,000 hostile files, and invents no user", () => {
  const random = createRandom(7);
  const hashes = [hash, known, hash.toUpperCase(), `$2b$10$${"a".repeat(53)}`];
  let sound = 0;
  for (let at = 0; at < 10_000; at++) {
    const text = hostilePasswordFile(random, hashes);
    let users: ReturnType<typeof parsePasswordFile>;
    try {
      users = parsePasswordFile(text, "f");
    } catch (error) {
      if (!(error instanceof TabPyError) || error.code !== "config") throw error;
      expect(error.message).toMatch(/^Cannot read "f" line \d+: expected /);
      continue;
    }
    sound++;
    for (const [key, user] of users) {
      expect(hashes).toContain(user.hash);
      expect([key, key.startsWith("#")]).toEqual([user.name.toLowerCase(), false]);
    }
    const changed = parsePasswordFile(withUser(text, "eve", known), "f");
    expect(changed.get("eve")?.hash).toBe(known);
    for (const [key, user] of users) if (key !== "eve") expect(changed.get(key)).toEqual(user);
  }
  expect(sound).toBeGreaterThan(500);
});
