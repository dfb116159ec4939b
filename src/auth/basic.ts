// Basic authentication (RFC 7617): from an Authorization header to whether its sender may come in.

import { createHmac, randomBytes } from "node:crypto";
import { type PasswordFile, verifyPassword } from "./password-file.ts";

export interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** Whether the sender of a header may come in. */
export type Authenticate = (header: string | undefined) => Promise<boolean>;

/** How long a verified pair is remembered, so that its hash is not computed for every call. */
const rememberMs = 5 * 60 * 1000;
const rememberedPairs = 1000;
/** Longer headers are no credentials. */
const maxHeaderChars = 4096;

const basicHeader = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i;

/** The name and password of a header; undefined when it has another scheme or is malformed. */
export function parseBasicHeader(header: string | undefined): Credentials | undefined {
  if (header === undefined || header.length > maxHeaderChars) return undefined;
  const encoded = basicHeader.exec(header)?.[1];
  if (encoded === undefined || encoded.length % 4 === 1) return undefined;
  const pair = Buffer.from(encoded, "base64").toString("utf8");
  const colon = pair.indexOf(":");
  return colon === -1 ? undefined : { name: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/** Checks headers against `users`. Verified pairs are remembered under a key of this process, for five minutes. */
export function createAuthenticate(users: PasswordFile): Authenticate {
  const key = randomBytes(32);
  const verified = new Map<string, number>();
  return async (header) => {
    const credentials = parseBasicHeader(header);
    if (credentials === undefined) return false;
    const { name, password } = credentials;
    const digest = createHmac("sha256", key).update(`${name}:${password}`).digest("base64");
    if ((verified.get(digest) ?? 0) > Date.now()) return true;
    if (!(await verifyPassword(users, name, password))) return false;
    const [oldest] = verified.keys();
    if (verified.size >= rememberedPairs && oldest !== undefined) verified.delete(oldest);
    verified.set(digest, Date.now() + rememberMs);
    return true;
  };
}
