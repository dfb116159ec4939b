// createAuthenticate() over the text of a password file, with real hashes that are counted and a clock to set.

import { type AuthenticateOptions, createAuthenticate, type Verdict } from "../../src/auth/authenticate.ts";
import { Bcrypt } from "../../src/auth/bcrypt.ts";
import { createHashing, type Scheme, schemeOf } from "../../src/auth/hashes.ts";
import { parsePasswordFile } from "../../src/auth/password-file.ts";

/** `use` replaces the file's text; `work` lists the scheme of every hash that was computed for an attempt. */
export function authenticateBy(text: string, options: Partial<AuthenticateOptions> = {}) {
  let users = parsePasswordFile(text, "users");
  let time = 0;
  const work: (Scheme | undefined)[] = [];
  const bcrypt = new Bcrypt();
  const hashing = createHashing(bcrypt);
  const authenticate = createAuthenticate({
    users: () => users,
    hashing: {
      ...hashing,
      verify: (hash, name, password) => {
        work.push(schemeOf(hash));
        return hashing.verify(hash, name, password);
      },
    },
    failuresPerUser: 20,
    failuresPerAddress: 100,
    now: () => time,
    ...options,
  });
  return {
    authenticate,
    work,
    use: (other: string) => {
      users = parsePasswordFile(other, "users");
    },
    pass: (ms: number) => {
      time += ms;
    },
    /** The verdict on `name:password`. */
    ask: async (pair: string, address = "192.0.2.1"): Promise<Verdict> =>
      authenticate(`Basic ${Buffer.from(pair).toString("base64")}`, () => address),
    [Symbol.asyncDispose]: () => bcrypt.stop(),
  };
}
