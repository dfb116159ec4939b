// Which user names and passwords can work, and passwords that are made here. Checked where users are added
// (src/cli/user.ts); a password file that another program wrote is taken as it is.

import { randomInt } from "node:crypto";
import { TabPyError } from "../errors.ts";
import { maxBcryptBytes, type Scheme } from "./hashes.ts";

/** Longer ones don't fit into an Authorization header that is looked at (basic.ts). */
const maxNameChars = 255;
const maxPasswordBytes = 1024;

const letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"; // without l, I and O
const digits = "23456789"; // without 0 and 1
const punctuation = "!#$%&()*+-=?@[]^_{}~"; // without quotes, and . , : ; | / \ that look alike or end a word
const generatedChars = 16;

/** Throws TabPyError `config` that says why a name can't be a user's. */
export function checkUserName(name: string): void {
  const fault = (wanted: string) =>
    new TabPyError("config", `Cannot use username "${name}": expected ${wanted}`);
  if (name === "") throw fault("a name that is not empty");
  if (name.includes(":")) throw fault('no ":", which ends the name in what clients send');
  if (/\s/.test(name)) throw fault("no spaces, which end the name in the passwords file");
  if (!/^[\x21-\x7e]*$/.test(name)) throw fault("ASCII characters only");
  if (name.startsWith("#")) throw fault('no "#" at its begin, which makes a comment of its line');
  if (name.length > maxNameChars) throw fault(`at most ${maxNameChars} characters`);
}

/** Throws TabPyError `config` that says why a password can't work, without showing it. */
export function checkPassword(password: string, scheme: Scheme): void {
  const fault = (wanted: string) => new TabPyError("config", `Cannot use the password: expected ${wanted}`);
  if (password === "") throw fault("one that is not empty");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 7617 forbids them
  if (/[\x00-\x1f\x7f]/.test(password)) throw fault("no control characters, no line ends");
  const bytes = Buffer.byteLength(password);
  if (scheme === "bcrypt" && bytes > maxBcryptBytes)
    throw fault(`at most ${maxBcryptBytes} bytes, as bcrypt looks at no more, got ${bytes}`);
  if (bytes > maxPasswordBytes) throw fault(`at most ${maxPasswordBytes} bytes, got ${bytes}`);
}

/** 16 characters from a cryptographic source, with letters, digits and punctuation and no look-alikes. */
export function generatePassword(): string {
  const all = letters + digits + punctuation;
  for (;;) {
    const password = Array.from({ length: generatedChars }, () => all[randomInt(all.length)]).join("");
    const has = (kind: string) => [...password].some((char) => kind.includes(char));
    // A hyphen at the begin would make an option of it.
    if (has(letters) && has(digits) && has(punctuation) && !password.startsWith("-")) return password;
  }
}
