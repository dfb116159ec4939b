// Password hashes in two schemes, told apart by their form: TabPy's PBKDF2 and bcrypt. Neither is computed on the
// event loop: PBKDF2 runs in Node's thread pool, bcrypt in the thread of bcrypt.ts.

import { pbkdf2, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { Bcrypt } from "./bcrypt.ts";

export const schemes = ["pbkdf2", "bcrypt"] as const;
export type Scheme = (typeof schemes)[number];

/** Computes and verifies hashes. User names are in lower case. */
export interface Hashing {
  hash(scheme: Scheme, name: string, password: string): Promise<string>;
  /** Whether `hash`, in either scheme, was made from `password`. Compares in constant time. */
  verify(hash: string, name: string, password: string): Promise<boolean>;
}

const iterations = 10_000;
const hashBytes = 64;
/** The bcrypt cost of new hashes, and the largest accepted cost, with which a hash takes about three seconds. */
const bcryptCost = 10;
const maxBcryptCost = 15;
/** bcrypt ignores the bytes of a password beyond this many. */
export const maxBcryptBytes = 72;

const pbkdf2Form = /^[0-9a-f]{128}$/i;
const bcryptForm = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;

/** The forms of a hash, for messages. */
export const wantedHash = `128 hexadecimal digits, or bcrypt's $2b$ and a cost up to ${maxBcryptCost}`;

const derive = promisify(pbkdf2);

/** The scheme of a hash, or undefined when it has the form of neither. */
export function schemeOf(hash: string): Scheme | undefined {
  if (pbkdf2Form.test(hash)) return "pbkdf2";
  const cost = Number(bcryptForm.exec(hash)?.[1]);
  return cost >= 4 && cost <= maxBcryptCost ? "bcrypt" : undefined;
}

export function createHashing(bcrypt: Pick<Bcrypt, "hash" | "compare">): Hashing {
  return {
    hash: async (scheme, name, password) => {
      if (scheme === "bcrypt") return bcrypt.hash(password, bcryptCost);
      return (await deriveFor(name, password)).toString("hex");
    },
    verify: async (hash, name, password) => {
      if (schemeOf(hash) === "bcrypt") return bcrypt.compare(password, hash);
      return timingSafeEqual(await deriveFor(name, password), Buffer.from(hash, "hex"));
    },
  };
}

/** TabPy's formula: the salt is made from the user's name, so that a password file works on any server. */
function deriveFor(name: string, password: string): Promise<Buffer> {
  return derive(password, `_$salt@tabpy:${name}$_`, iterations, hashBytes, "sha512");
}
