// Decides whether the sender of an Authorization header is a user. Cheap for a credential that was verified recently
// (verified-credentials.ts), limited for guesses (throttle.ts), and as slow for an unknown user as for a known one.
// The HTTP answer is made in src/http/authentication.ts.

import { createHmac, randomBytes } from "node:crypto";
import pLimit from "p-limit";
import { type Credentials, maxHeaderChars, parseBasicHeader } from "./basic.ts";
import type { Hashing } from "./hashes.ts";
import type { PasswordFile } from "./password-file.ts";
import { createThrottle, type ThrottleOptions } from "./throttle.ts";
import { createVerifiedCredentials } from "./verified-credentials.ts";

interface Verified {
  readonly kind: "verified";
  /** In lower case. */
  readonly user: string;
}

interface Refused {
  readonly kind: "refused";
  /** For the log. Of what the client sent, it contains at most the name of a known user. */
  readonly why: string;
}

export type Verdict =
  | Verified
  | Refused
  /** Not verified: even the right password is refused. */
  | { readonly kind: "throttled"; readonly why: string; readonly waitMs: number };

/** `address` is called only when the sender's address is needed. */
export type Authenticate = (header: string | undefined, address: () => string) => Verdict | Promise<Verdict>;

export interface AuthenticateOptions extends ThrottleOptions {
  /** The current password file. */
  readonly users: () => PasswordFile;
  readonly hashing: Hashing;
}

/** Hashes that are computed concurrently, and verifications that may wait for one; further ones are throttled. */
const maxHashes = 2;
const maxWaiting = 100;
const busyWaitMs = 1000;

const unused = "0".repeat(128);

export function createAuthenticate(options: AuthenticateOptions): Authenticate {
  const { hashing } = options;
  const verified = createVerifiedCredentials<Verified, Refused>(options.now);
  const throttle = createThrottle(options);
  const limit = pLimit(maxHashes);
  const decoyKey = randomBytes(32);
  /** Running verifications by digest: concurrent calls with one new credential cost one hash. */
  const running = new Map<string, Promise<Verdict>>();

  return (header, addressOf) => {
    if (header === undefined) return { kind: "refused", why: "no credentials" };
    const digest = header.length > maxHeaderChars ? "" : verified.digest(header);
    const known = verified.find(digest, options.users());
    if (known !== undefined) return known;
    const credentials = parseBasicHeader(header);
    if (credentials === undefined) return { kind: "refused", why: "malformed credentials" };
    const same = running.get(digest);
    if (same !== undefined) return same;

    const name = credentials.name.toLowerCase();
    const address = addressOf();
    if (limit.pendingCount >= maxWaiting)
      return { kind: "throttled", why: "too many passwords are waiting to be verified", waitMs: busyWaitMs };
    const isExempt = verified.wasRight(digest);
    if (!isExempt) {
      const wait = throttle.take(address, name);
      if (wait !== undefined)
        return { kind: "throttled", why: `too many failures of this ${wait.by}`, waitMs: wait.ms };
    }
    const verification = limit(() => verify(name, credentials, digest, address))
      .then((verdict) => {
        if (verdict.kind === "verified" && !isExempt) throttle.giveBack(address, name);
        return verdict;
      })
      .finally(() => running.delete(digest));
    running.set(digest, verification);
    return verification;
  };

  async function verify(
    name: string,
    { password }: Credentials,
    digest: string,
    address: string,
  ): Promise<Verdict> {
    const users = options.users();
    const found = users.get(name);
    const other = decoy(users, name); // chosen for a known user too, so that both take the same time
    const matches = await hashing.verify(found?.hash ?? other, name, password);
    if (found !== undefined && matches) {
      const verdict: Verified = { kind: "verified", user: found.name };
      // The earlier failure was this same credential, sent before the file contained it, so it wasn't a guess.
      if (verified.addRight(digest, verdict, users)) throttle.giveBack(address, name);
      return verdict;
    }
    const why = found === undefined ? "unknown user" : `wrong password for user "${found.name}"`;
    const verdict: Refused = { kind: "refused", why };
    verified.addWrong(digest, verdict, users);
    return verdict;
  }

  /** For an unknown name, the hash of a known user: the same one each time, so that timing reveals nothing. */
  function decoy(users: PasswordFile, name: string): string {
    if (users.size === 0) return unused;
    const at = createHmac("sha256", decoyKey).update(name).digest().readUInt32LE() % users.size;
    return [...users.values()][at]?.hash ?? unused;
  }
}
