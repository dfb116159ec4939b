import { describe, expect, test } from "bun:test";
import { parseBasicHeader } from "../../src/auth/basic.ts";

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
    "a zero byte": `Basic ${encode("a:b\0")}`,
    "invalid base64": "Basic a:b",
    "a single base64 digit": "Basic Y",
    "padding in the middle": "Basic YT==pi",
    "two values": `Basic ${encode("a:b")}, Basic ${encode("c:d")}`,
    "more than 4096 characters": `Basic ${encode(`a:${"b".repeat(4096)}`)}`,
  };
  for (const [what, header] of Object.entries(refused)) {
    test(`reads ${what} as no credentials`, () => expect(parseBasicHeader(header)).toBeUndefined());
  }
});
