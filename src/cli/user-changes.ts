// The changes that tabpy-user makes to a password file. Its messages are those of TabPy's own tabpy-user, double spaces
// included, which tools may read: names are in lower case, and a password that wasn't given as an argument is `...`.

import { stat } from "node:fs/promises";
import { type Hashing, type Scheme, schemeOf } from "../auth/hashes.ts";
import {
  changePasswordFile,
  findUsers,
  type PasswordFile,
  type User,
  withUser,
} from "../auth/password-file.ts";
import { checkPassword, checkUserName, generatePassword } from "../auth/user-rules.ts";
import { TabPyError } from "../errors.ts";
import type { GivenPassword } from "./passwords.ts";

export interface Change {
  readonly file: string;
  /** In upper or lower case. */
  readonly name: string;
  /** Undefined: a password is generated, and shown once. */
  readonly password: GivenPassword | undefined;
  /** Undefined: the scheme of the user's hash, PBKDF2 for a new user. */
  readonly scheme: Scheme | undefined;
  readonly hashing: Hashing;
  readonly print: (line: string) => void;
}

/**
 * A user who is there with the password that was given is added already: containers add their user at each start.
 *
 * @throws TabPyError `config` for a name that exists otherwise or breaks a rule, and for an invalid file.
 */
export async function addUser(given: Change): Promise<void> {
  checkUserName(given.name);
  const change = { ...given, name: given.name.toLowerCase() };
  const { file, name, print } = change;
  const before = await findUsers(file);
  await printFound(file, before, print);
  const there = before.get(name);
  if (there !== undefined) return confirmUser(change, there); // without the lock: the file may be read-only
  let isAdded = false;
  await changePasswordFile(file, async (text, users) => {
    const addedMeanwhile = users.get(name);
    if (addedMeanwhile !== undefined) {
      await confirmUser(change, addedMeanwhile);
      return text;
    }
    const scheme = change.scheme ?? "pbkdf2";
    const { password, shown } = choose(change, scheme);
    print(`Adding username "${name}"`);
    print(`Adding username "${name}" with password "${shown}"...`);
    isAdded = true;
    return withUser(text, name, await hashFor(change, scheme, password));
  });
  if (isAdded) print(`Added username "${name}" with password "${shownOf(change)}"`);
}

async function confirmUser({ file, name, password, hashing, print }: Change, user: User): Promise<void> {
  if (password === undefined || !(await hashing.verify(user.hash, name, password.text))) {
    throw fault(
      `Cannot add username "${name}"`,
      `a name that "${file}" doesn't have, or the password that it has for this name; update changes the password`,
    );
  }
  print(`Username "${name}" is there already, with this password: nothing was changed`);
}

/** Throws TabPyError `config` for an unknown name, and for an invalid file. */
export async function updateUser(given: Change): Promise<void> {
  const change = { ...given, name: given.name.toLowerCase() };
  const { file, name, print } = change;
  await changePasswordFile(file, async (text, users) => {
    await printFound(file, users, print);
    const found = users.get(name);
    if (found === undefined) throw fault(`Cannot update username "${name}"`, hasWanted(file, users));
    const scheme = change.scheme ?? schemeOf(found.hash) ?? "pbkdf2";
    const { password, shown } = choose(change, scheme);
    print(`Updating username "${name}"`);
    const changed = withUser(text, name, await hashFor(change, scheme, password));
    print(`Updating username "${name}" password  to "${shown}"`);
    return changed;
  });
}

/** Throws TabPyError `config` for an unknown name, and for an invalid file. */
export async function deleteUser(given: Pick<Change, "file" | "name" | "print">): Promise<void> {
  const { file, print } = given;
  const name = given.name.toLowerCase();
  await changePasswordFile(file, async (text, users) => {
    await printFound(file, users, print);
    if (!users.has(name)) throw fault(`Cannot delete username "${name}"`, hasWanted(file, users));
    print(`Deleting username "${name}"`);
    return withUser(text, name, undefined);
  });
  print(`Deleted username "${name}"`);
}

async function printFound(file: string, users: PasswordFile, print: (line: string) => void): Promise<void> {
  print(`Parsing passwords file ${file}...`);
  const isThere = await stat(file).then(
    () => true,
    () => false,
  );
  if (!isThere) print(`Passwords file ${file} not found`);
  for (const { name } of users.values()) print(`Found username ${name}`);
  if (users.size > 0) print("Authentication is enabled");
}

function choose(change: Change, scheme: Scheme): { password: string; shown: string } {
  if (change.password !== undefined) {
    checkPassword(change.password.text, scheme);
    return { password: change.password.text, shown: shownOf(change) };
  }
  const password = generatePassword();
  change.print(`Generated password: "${password}"`);
  return { password, shown: shownOf(change) };
}

function shownOf({ password }: Change): string {
  return password?.isShown === true ? password.text : "...";
}

function hashFor({ hashing, name }: Change, scheme: Scheme, password: string): Promise<string> {
  return hashing.hash(scheme, name, password);
}

function hasWanted(file: string, users: PasswordFile): string {
  return users.size === 0 ? `"${file}" to have it, but it has no user` : `a name that "${file}" has`;
}

function fault(what: string, wanted: string): TabPyError {
  return new TabPyError("config", `${what}: expected ${wanted}`);
}
