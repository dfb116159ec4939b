// The users of the running server: read at the start and again when the file has changed. When that is, is the
// affair of src/reload.ts.

import type { Logger } from "../logging/logger.ts";
import { isOpenToOthers, type PasswordFile, readPasswordFile } from "./password-file.ts";

export interface Users {
  readonly path: string;
  readonly current: () => PasswordFile;
  /** Read the file again. Throws TabPyError `config` for a fault in it; then the users stay as they were. */
  reload(): Promise<void>;
}

export interface UsersOptions {
  readonly path: string;
  readonly log: Logger;
  /** Takes what happened to users, for those who look after them. */
  readonly audit: (message: string) => void;
}

/** Read the password file. Throws TabPyError `config` that names it, the line and what is wanted. */
export async function loadUsers(options: UsersOptions): Promise<Users> {
  const { path, log, audit } = options;
  const read = async () => {
    const users = await readPasswordFile(path);
    if (users.size === 0) log.warning(`The password file "${path}" has no user: nobody can come in`);
    if (await isOpenToOthers(path).catch(() => false)) {
      log.warning(
        `The password file "${path}" can be read or written by everyone on this machine: expected mode 600`,
      );
    }
    return users;
  };
  let current = await read();
  log.info(`Authentication is on: "${path}" has ${countText(current.size)}`);
  return {
    path,
    current: () => current,
    reload: async () => {
      const before = current;
      current = await read();
      for (const line of differences(before, current)) audit(line);
      log.info(`Read the password file "${path}" again: ${countText(current.size)}`);
    },
  };
}

function differences(before: PasswordFile, after: PasswordFile): string[] {
  const removed = [...before]
    .filter(([key]) => !after.has(key))
    .map(([, { name }]) => `User "${name}" was removed`);
  const others = [...after].flatMap(([key, { name, hash }]) => {
    const old = before.get(key);
    if (old === undefined) return [`User "${name}" was added`];
    return old.hash === hash ? [] : [`The password of user "${name}" was changed`];
  });
  return [...removed, ...others];
}

function countText(count: number): string {
  return count === 1 ? "1 user" : `${count} users`;
}
