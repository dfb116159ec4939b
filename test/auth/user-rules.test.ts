import { describe, expect, test } from "bun:test";
import { checkPassword, checkUserName, generatePassword } from "../../src/auth/user-rules.ts";

describe("checkUserName()", () => {
  for (const name of ["a", "user1", "first.last@example.org", "DOMAIN\\user", "-x", "a#b", "~!$%"])
    test(`accepts "${name}"`, () => checkUserName(name));

  const refused: Record<string, [name: string, wanted: string]> = {
    "an empty name": ["", "a name that is not empty"],
    "a colon": ["a:b", 'no ":", which ends the name in an Authorization header'],
    "a space": ["a b", "no spaces, which end the name in the passwords file"],
    "a line end": ["a\nb", "no spaces, which end the name in the passwords file"],
    "a letter that is not ASCII": ["zoë", "ASCII characters only"],
    "a control character": ["a\x07", "ASCII characters only"],
    "the mark of a comment": ["#a", 'no "#" at its start, which makes its line a comment'],
    "too many characters": ["a".repeat(256), "at most 255 characters"],
  };
  for (const [what, [name, wanted]] of Object.entries(refused)) {
    test(`refuses ${what} with the reason`, () =>
      expect(() => checkUserName(name)).toThrow(`Cannot use username "${name}": expected ${wanted}`));
  }
});

describe("checkPassword()", () => {
  for (const password of ["x", "pa:ss wörd", " ", "日本", "x".repeat(1024)])
    test(`accepts "${password.slice(0, 20)}"`, () => checkPassword(password, "pbkdf2"));

  const refused: Record<string, [password: string, scheme: "pbkdf2" | "bcrypt", wanted: string]> = {
    "an empty one": ["", "pbkdf2", "one that is not empty"],
    "a line end": ["geheim\n", "pbkdf2", "no control characters, no line ends"],
    "a zero byte": ["geheim\0", "bcrypt", "no control characters, no line ends"],
    "more than bcrypt uses": [
      "ü".repeat(37),
      "bcrypt",
      "at most 72 bytes, as bcrypt ignores further ones, got 74",
    ],
    "more than fits into a header": ["x".repeat(1025), "pbkdf2", "at most 1024 bytes, got 1025"],
  };
  for (const [what, [password, scheme, wanted]] of Object.entries(refused)) {
    test(`refuses ${what} with the reason, and doesn't show it`, () =>
      expect(() => checkPassword(password, scheme)).toThrow(`Cannot use the password: expected ${wanted}`));
  }
});

test("generatePassword() makes 16 characters with letters, digits and punctuation, and no look-alikes", () => {
  const made = Array.from({ length: 2000 }, generatePassword);
  for (const password of made) {
    expect(password).toMatch(/^[\x21-\x7e]{16}$/);
    expect(password).toMatch(/[A-Za-z].*/);
    expect(password).toMatch(/\d/);
    expect(password).toMatch(/[^A-Za-z0-9]/);
    expect(password).not.toMatch(/[0O1lI|'"`:\\]|^-/);
    checkPassword(password, "bcrypt");
  }
  expect(new Set(made).size).toBe(made.length);
  const counts = new Map<string, number>();
  for (const char of made.join("")) counts.set(char, (counts.get(char) ?? 0) + 1);
  const even = (made.length * 16) / counts.size;
  for (const count of counts.values()) expect(Math.abs(count - even)).toBeLessThan(even / 2);
});
