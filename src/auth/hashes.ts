// The hashes of passwords, told apart by their look: TabPy's PBKDF2 and bcrypt. Neither is computed on the event
// loop: PBKDF2 in Node's own threads, bcrypt in the thread of bcrypt.ts.

import { pbkdf2, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { Bcrypt } from "./bcrypt.ts";

export const schemes = ["pbkdf2", "bcrypt"] as const;
export type Scheme = (typeof schemes)[number];

/** Computes and compares hashes. Names in lower case. */
export interface Hashing {
  hash(scheme: Scheme, name: string, password: string): Promise<string>;
  /** Takes as long for a right password as for a wrong one. `hash` has the look of one of the schemes. */
  isRight(hash: string, name: string, password: string): Promise<boolean>;
}

const iterations = 10_000;
const hashBytes = 64;
/** bcrypt's cost of new hashes, and the largest that is taken: two hundred times the work of this one is no login. */
const bcryptCost = 10;
const maxBcryptCost = 15;
/** bcrypt looks at no more bytes of a password than these. */
export const maxBcryptBytes = 72;

const pbkdf2Look = /^[0-9a-f]{128}$/i;
const bcryptLook = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;

/** What a hash must look like, for messages. */
export const wantedHash = `128 hexadecimal digits, or bcrypt's $2b$ and a cost up to ${maxBcryptCost}`;

const derive = promisify(pbkdf2);

/** The scheme of a hash, or undefined when it looks like none. */
export function schemeOf(hash: string): Scheme | undefined {
  if (pbkdf2Look.test(hash)) return "pbkdf2";
  const cost = Number(bcryptLook.exec(hash)?.[1]);
  return cost >= 4 && cost <= maxBcryptCost ? "bcrypt" : undefined;
}

export function createHashing(bcrypt: Pick<Bcrypt, "hash" | "isRight">): Hashing {
  return {
    hash: async (scheme, name, password) => {
      if (scheme === "bcrypt") return bcrypt.hash(password, bcryptCost);
      return (await deriveFor(name, password)).toString("hex");
    },
    isRight: async (hash, name, password) => {
      if (schemeOf(hash) === "bcrypt") return bcrypt.isRight(password, hash);
      return timingSafeEqual(await deriveFor(name, password), Buffer.from(hash, "hex"));
    },
  };
}

/** The contract's formula: the user's name is the salt, so that files move between servers. */
function deriveFor(name: string, password: string): Promise<Buffer> {
  return derive(password, `_$salt@tabpy:${name}$_`, iterations, hashBytes, "sha512");
}
