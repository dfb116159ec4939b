// The users of the running server: the password file, read at start-up and again when src/reload.ts finds it changed.

import { isOpenToOthers } from "../files.ts";
import type { Logger } from "../logging/logger.ts";
import { type PasswordFile, readPasswordFile } from "./password-file.ts";

export interface Users {
  readonly path: string;
  readonly current: () => PasswordFile;
  /** Read the file again. Throws TabPyError `config` when it is invalid; the users then stay as they are. */
  reload(): Promise<void>;
}

export interface UsersOptions {
  readonly path: string;
  /** Changes of users are logged as `tabpy.audit`. */
  readonly log: Logger;
}

/** Read the password file. Throws TabPyError `config` that names the file, the line and what is expected. */
export async function loadUsers(options: UsersOptions): Promise<Users> {
  const { path, log } = options;
  const auditLog = log.for("audit.ts").named("tabpy.audit");
  const read = async () => {
    const users = await readPasswordFile(path);
    if (users.size === 0)
      log.warning(`The password file "${path}" contains no users: every request will be refused`);
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
      for (const line of differences(before, current)) auditLog.info(line);
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
