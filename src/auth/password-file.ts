// TabPy's password file: one `name hash` a line, PBKDF2 hashes. Reading it and checking a password against it.

import { pbkdf2, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { errorText, TabPyError } from "../errors.ts";

const iterations = 10_000;
const hashBytes = 64;
const hashPattern = /^[0-9a-f]{128}$/i;
const derive = promisify(pbkdf2);

/** Lower-case user name -> hash as hex. */
export type PasswordFile = ReadonlyMap<string, string>;

/** Read a password file. Throws TabPyError `config` that names the faulty line, never its hash. */
export function readPasswordFile(path: string): PasswordFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new TabPyError("config", `Cannot read TABPY_PWD_FILE "${path}": ${errorText(error)}`, {
      cause: error,
    });
  }
  return parsePasswordFile(text, path);
}

/** The users of a password file's text; `source` is what messages call it. */
export function parsePasswordFile(text: string, source: string): PasswordFile {
  const users = new Map<string, string>();
  for (const [at, line] of text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .entries()) {
    const fields = line.trim().split(/\s+/);
    const [name = "", hash = ""] = fields;
    if (name === "" || name.startsWith("#")) continue;
    const fault = (wanted: string) =>
      new TabPyError("config", `Cannot read "${source}" line ${at + 1}: expected ${wanted}`);
    if (fields.length !== 2) throw fault(`"name hash", got ${fields.length} fields`);
    if (!hashPattern.test(hash)) throw fault(`a hash of 128 hexadecimal digits behind "${name}"`);
    const user = name.toLowerCase();
    if (users.has(user)) throw fault(`each user once, got "${name}" again`);
    users.set(user, hash);
  }
  return users;
}

/** Whether `password` is the user's. Takes as long for a name that isn't there. */
export async function verifyPassword(users: PasswordFile, name: string, password: string): Promise<boolean> {
  const user = name.toLowerCase();
  const hash = await derive(password, `_$salt@tabpy:${user}$_`, iterations, hashBytes, "sha512");
  const wanted = users.get(user);
  const isEqual = timingSafeEqual(
    hash,
    wanted === undefined ? Buffer.alloc(hashBytes) : Buffer.from(wanted, "hex"),
  );
  return wanted !== undefined && isEqual;
}
