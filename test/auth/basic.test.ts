import { describe, expect, test } from "bun:test";
import { createAuthenticate, parseBasicHeader } from "../../src/auth/basic.ts";
import { parsePasswordFile } from "../../src/auth/password-file.ts";
import { passwordHash } from "./password-hash.ts";

const encode = (pair: string | Buffer) => Buffer.from(pair).toString("base64");

describe("parseBasicHeader()", () => {
  const table: Record<string, [header: string, name: string, password: string]> = {
    "a name and a password": [`Basic ${encode("user1:P@ssw0rd")}`, "user1", "P@ssw0rd"],
    "the scheme in lower case": [`basic ${encode("a:b")}`, "a", "b"],
    "the scheme in upper case": [`BASIC ${encode("a:b")}`, "a", "b"],
    "several spaces": [`Basic   ${encode("a:b")}  `, "a", "b"],
    "a password with colons": [`Basic ${encode("a:b:c:")}`, "a", "b:c:"],
    "an empty password": [`Basic ${encode("a:")}`, "a", ""],
    "an empty name": [`Basic ${encode(":b")}`, "", "b"],
    "spaces inside": [`Basic ${encode(" a : b ")}`, " a ", " b "],
    "UTF-8": [`Basic ${encode("zoë:пароль€")}`, "zoë", "пароль€"],
    "base64 without its padding": [`Basic ${encode("a:bc").replace(/=+$/, "")}`, "a", "bc"],
  };
  for (const [what, [header, name, password]] of Object.entries(table)) {
    test(`takes ${what}`, () => expect(parseBasicHeader(header)).toEqual({ name, password }));
  }

  const refused: Record<string, string | undefined> = {
    "no header": undefined,
    "an empty header": "",
    "the scheme alone": "Basic",
    "the scheme and a space": "Basic ",
    "no space": `Basic${encode("a:b")}`,
    "another scheme": `Bearer ${encode("a:b")}`,
    "a scheme that ends like it": `XBasic ${encode("a:b")}`,
    "no colon": `Basic ${encode("ab")}`,
    "what is no base64": "Basic a:b",
    "a single base64 digit": "Basic Y",
    "padding in the middle": "Basic YT==pi",
    "two values": `Basic ${encode("a:b")}, Basic ${encode("c:d")}`,
    "more than 4096 characters": `Basic ${encode(`a:${"b".repeat(4096)}`)}`,
  };
  for (const [what, header] of Object.entries(refused)) {
    test(`takes ${what} for no credentials`, () => expect(parseBasicHeader(header)).toBeUndefined());
  }
});

describe("createAuthenticate()", () => {
  const users = parsePasswordFile(
    `Alice ${passwordHash("alice", "s3cret")}\nbob ${passwordHash("bob", "a:b:ü")}`,
    "users",
  );
  const header = (pair: string) => `Basic ${encode(pair)}`;

  test("lets a user in, the first time and from memory", async () => {
    const authenticate = createAuthenticate(users);
    expect(await authenticate(header("alice:s3cret"))).toBe(true);
    expect(await authenticate(header("alice:s3cret"))).toBe(true);
  });

  test("doesn't look at the case of names", async () => {
    const authenticate = createAuthenticate(users);
    for (const name of ["alice", "Alice", "ALICE"])
      expect(await authenticate(header(`${name}:s3cret`))).toBe(true);
  });

  test("takes a password with colons and umlauts", async () => {
    expect(await createAuthenticate(users)(header("bob:a:b:ü"))).toBe(true);
  });

  test("refuses what is not a user's own pair, also after that user came in", async () => {
    const authenticate = createAuthenticate(users);
    await authenticate(header("alice:s3cret"));
    for (const pair of [
      "alice:S3cret",
      "alice:",
      "bob:s3cret",
      "carol:s3cret",
      ":",
      "alice:s3cret ",
      "alices3cret:",
    ])
      expect({ pair, isIn: await authenticate(header(pair)) }).toEqual({ pair, isIn: false });
    expect(await authenticate(undefined)).toBe(false);
  });

  test("refuses everyone when the file has no users", async () => {
    const authenticate = createAuthenticate(new Map());
    expect(await authenticate(header("alice:s3cret"))).toBe(false);
  });
});
