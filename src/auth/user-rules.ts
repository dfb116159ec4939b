// Rules for user names and passwords, and generated passwords. The rules are checked when users are changed
// (src/cli/user-changes.ts), not when a password file is read: another program may have written it.

import { randomInt } from "node:crypto";
import { configError } from "../errors.ts";
import { maxBcryptBytes, type Scheme } from "./hashes.ts";

/** Longer ones would make the Authorization header exceed the limit in basic.ts. */
const maxNameChars = 255;
const maxPasswordBytes = 1024;

const letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"; // without l, I and O
const digits = "23456789"; // without 0 and 1
const punctuation = "!#$%&()*+-=?@[]^_{}~"; // without quotes and . , : ; | / \, which look alike or end a word
const generatedChars = 16;

/** Throws TabPyError `config` with the rule that a user name breaks. */
export function checkUserName(name: string): void {
  const fault = (wanted: string) => configError("username", name, undefined, wanted);
  if (name === "") throw fault("a name that is not empty");
  if (name.includes(":")) throw fault('no ":", which ends the name in an Authorization header');
  if (/\s/.test(name)) throw fault("no spaces, which end the name in the passwords file");
  if (!/^[\x21-\x7e]*$/.test(name)) throw fault("ASCII characters only");
  if (name.startsWith("#")) throw fault('no "#" at its start, which makes its line a comment');
  if (name.length > maxNameChars) throw fault(`at most ${maxNameChars} characters`);
}

/** Throws TabPyError `config` with the rule that a password breaks, without showing the password. */
export function checkPassword(password: string, scheme: Scheme): void {
  const fault = (wanted: string) => configError("the password", undefined, undefined, wanted);
  if (password === "") throw fault("one that is not empty");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 7617 forbids them
  if (/[\x00-\x1f\x7f]/.test(password)) throw fault("no control characters, no line ends");
  const bytes = Buffer.byteLength(password);
  if (scheme === "bcrypt" && bytes > maxBcryptBytes)
    throw fault(`at most ${maxBcryptBytes} bytes, as bcrypt ignores further ones, got ${bytes}`);
  if (bytes > maxPasswordBytes) throw fault(`at most ${maxPasswordBytes} bytes, got ${bytes}`);
}

/** 16 random characters: letters, digits and punctuation, none of which look alike. */
export function generatePassword(): string {
  const all = letters + digits + punctuation;
  for (;;) {
    const password = Array.from({ length: generatedChars }, () => all[randomInt(all.length)]).join("");
    const has = (kind: string) => [...password].some((char) => kind.includes(char));
    // A leading hyphen would make it an option.
    if (has(letters) && has(digits) && has(punctuation) && !password.startsWith("-")) return password;
  }
}
