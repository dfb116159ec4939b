// TabPy's password file: one `name hash` per line, with comments and empty lines. Reads it, and changes one user's
// line while all others stay as they are, byte for byte. hashes.ts has the forms of hashes.

import { readFile, realpath, stat } from "node:fs/promises";
import { errnoOf, errorText, TabPyError } from "../errors.ts";
import { withLock } from "../file-lock.ts";
import { writeDurably } from "../files.ts";
import { schemeOf, wantedHash } from "./hashes.ts";

export interface User {
  /** In lower case, whatever the file has. */
  readonly name: string;
  readonly hash: string;
}

/** Lower-case name -> user, in the order of the file. */
export type PasswordFile = ReadonlyMap<string, User>;

/** A line with its line end. */
const lines = /[^\r\n]*(?:\r\n|\n|\r|$)/g;
const byteOrderMark = /^(?:\ufeff|\xef\xbb\xbf)/;

/** Read a password file. Throws TabPyError `config` that names the invalid line, never its hash. */
export async function readPasswordFile(path: string): Promise<PasswordFile> {
  try {
    return parsePasswordFile(await readFile(path, "utf8"), path);
  } catch (error) {
    if (error instanceof TabPyError) throw error;
    throw new TabPyError("config", `Cannot read TABPY_PWD_FILE "${path}": ${errorText(error)}`, {
      cause: error,
    });
  }
}

/** The users of a password file's text; messages call it `source`. */
export function parsePasswordFile(text: string, source: string): PasswordFile {
  const users = new Map<string, User>();
  for (const [at, line] of splitLines(text).entries()) {
    const fields = fieldsOf(line);
    const [name, hash = ""] = fields;
    if (name === undefined) continue;
    const fault = (wanted: string) =>
      new TabPyError("config", `Cannot read "${source}" line ${at + 1}: expected ${wanted}`);
    if (fields.length !== 2) throw fault(`"name hash", got ${fieldCount(fields.length)}`);
    if (schemeOf(hash) === undefined) throw fault(`a hash after "${name}": ${wantedHash}`);
    const user = name.toLowerCase();
    if (users.has(user)) throw fault(`each user once, got "${name}" again`);
    users.set(user, { name: user, hash });
  }
  return users;
}

/** The users of a password file without its lock, none when it doesn't exist. Throws TabPyError `config`. */
export async function findUsers(path: string): Promise<PasswordFile> {
  return parsePasswordFile(await textOf(path), path);
}

/**
 * The text with a user's line replaced, or added at the end; without `hash`, with that line removed. The name is written
 * in lower case.
 *
 * @param text of a valid password file.
 */
export function withUser(text: string, name: string, hash: string | undefined): string {
  const all = splitLines(text);
  const at = all.findIndex((line) => fieldsOf(line)[0]?.toLowerCase() === name.toLowerCase());
  const found = all[at];
  const end = /\r\n|\n|\r/.exec(text)?.[0] ?? "\n";
  if (found !== undefined) {
    const [, before = "", own = ""] = /^((?:\ufeff|\xef\xbb\xbf)?[ \t]*)([^ \t]+)/.exec(found) ?? [];
    const ownEnd = /[\r\n]*$/.exec(found)?.[0] ?? "";
    all[at] = hash === undefined ? "" : `${before}${asciiLower(own)} ${hash}${ownEnd}`;
    return all.join("");
  }
  if (hash === undefined) return text;
  const isOpen = text.replace(byteOrderMark, "") !== "" && !/[\r\n]$/.test(text);
  return `${text}${isOpen ? end : ""}${asciiLower(name)} ${hash}${end}`;
}

/** Other letters stay: they may be bytes that are shown as Latin-1. */
function asciiLower(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/**
 * Change a password file under its lock: atomically, with mode 0600, owner and group unchanged.
 *
 * @param change gets the file's text, "" when it doesn't exist, and its users; returns the new text. The text is
 * decoded as Latin-1, which keeps every byte.
 * @throws TabPyError `config` for an invalid file, which stays as it is.
 */
export async function changePasswordFile(
  path: string,
  change: (text: string, users: PasswordFile) => Promise<string>,
): Promise<void> {
  const file = await realpath(path).catch(() => path); // a symbolic link stays one
  await withLock(file, async () => {
    const [text, owner] = await Promise.all([textOf(file), ownerOf(file)]);
    const changed = await change(text, parsePasswordFile(text, path));
    await writeDurably(file, Buffer.from(changed, "latin1"), 0o600, owner);
  });
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "latin1");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "";
    throw new TabPyError("config", `Cannot read "${path}": ${errorText(error)}`, { cause: error });
  }
}

async function ownerOf(path: string): Promise<{ uid: number; gid: number } | undefined> {
  return stat(path).then(
    ({ uid, gid }) => ({ uid, gid }),
    () => undefined,
  );
}

function splitLines(text: string): string[] {
  return text.match(lines)?.filter((line) => line !== "") ?? [];
}

/** The fields of a line, none for a comment. Only ASCII spaces separate them: Latin-1 may show bytes as others. */
function fieldsOf(line: string): string[] {
  const fields = line.replace(byteOrderMark, "").split(/[ \t\v\f\r\n]+/);
  const given = fields.filter((field) => field !== "");
  return given[0]?.startsWith("#") === true ? [] : given;
}

function fieldCount(count: number): string {
  return count === 1 ? "only a name" : `${count} fields`;
}
