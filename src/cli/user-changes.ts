// The changes that tabpy-user makes to a password file. Its messages are those of TabPy's own tabpy-user, double spaces
// included, which tools may read. A password that wasn't given as an argument is `...` in them.

import { stat } from "node:fs/promises";
import { type Hashing, type Scheme, schemeOf } from "../auth/hashes.ts";
import { changePasswordFile, type PasswordFile, withUser } from "../auth/password-file.ts";
import { checkPassword, checkUserName, generatePassword } from "../auth/user-rules.ts";
import { TabPyError } from "../errors.ts";
import type { GivenPassword } from "./passwords.ts";

export interface Change {
  readonly file: string;
  readonly name: string;
  /** Undefined: a password is generated, and shown once. */
  readonly password: GivenPassword | undefined;
  /** Undefined: the scheme of the user's hash, PBKDF2 for a new user. */
  readonly scheme: Scheme | undefined;
  readonly hashing: Hashing;
  readonly print: (line: string) => void;
}

/** Throws TabPyError `config` for a name that exists or breaks a rule, and for an invalid file. */
export async function addUser(change: Change): Promise<void> {
  const { file, name, print } = change;
  checkUserName(name);
  await changePasswordFile(file, async (text, users) => {
    await printFound(file, users, print);
    if (users.has(name.toLowerCase())) {
      throw fault(
        `Cannot add username "${name}"`,
        `a name that "${file}" doesn't have; update changes its password`,
      );
    }
    const scheme = change.scheme ?? "pbkdf2";
    const { password, shown } = choose(change, scheme);
    print(`Adding username "${name}"`);
    print(`Adding username "${name}" with password "${shown}"...`);
    return withUser(text, name, await hashFor(change, scheme, password));
  });
  print(`Added username "${name}" with password "${shownOf(change)}"`);
}

/** Throws TabPyError `config` for an unknown name, and for an invalid file. */
export async function updateUser(change: Change): Promise<void> {
  const { file, name, print } = change;
  await changePasswordFile(file, async (text, users) => {
    await printFound(file, users, print);
    const found = users.get(name.toLowerCase());
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
export async function deleteUser({
  file,
  name,
  print,
}: Pick<Change, "file" | "name" | "print">): Promise<void> {
  await changePasswordFile(file, async (text, users) => {
    await printFound(file, users, print);
    if (!users.has(name.toLowerCase()))
      throw fault(`Cannot delete username "${name}"`, hasWanted(file, users));
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
  return hashing.hash(scheme, name.toLowerCase(), password);
}

function hasWanted(file: string, users: PasswordFile): string {
  return users.size === 0 ? `"${file}" to have it, but it has no user` : `a name that "${file}" has`;
}

function fault(what: string, wanted: string): TabPyError {
  return new TabPyError("config", `${what}: expected ${wanted}`);
}
