// The hash of TabPy's password file, implemented a second time from its description.

import { pbkdf2Sync } from "node:crypto";

/** 128 hexadecimal digits; `name` in lower case. */
export function passwordHash(name: string, password: string): string {
  return pbkdf2Sync(password, `_$salt@tabpy:${name}$_`, 10_000, 64, "sha512").toString("hex");
}
