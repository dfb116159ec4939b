// Caches the results of recent verifications, of right and of wrong credentials, so that a hash is computed once and
// not for every call. The cache contains digests keyed with a secret of this process, never a password.

import { hash, randomBytes } from "node:crypto";
import QuickLRU from "quick-lru";
import type { PasswordFile } from "./password-file.ts";

/** How long a result is used without another verification, while the password file stays the same. */
export const rememberMs = 5 * 60_000;
/** How long a credential that was right is exempt from throttling, even after it became wrong: it isn't a guess. */
export const exemptMs = 24 * 60 * 60_000;
/** For right and for wrong credentials each. Their caches are separate, so that guessing evicts no right one. */
/** quick-lru keeps up to twice as many. */
const cacheOptions = { maxSize: 1000 };

interface Entry<Verdict> {
  readonly verdict: Verdict;
  /** The password file that the credential was verified against. */
  readonly users: PasswordFile;
  readonly at: number;
}

/** `now`: milliseconds of a monotonic clock, which is why the caches' own `maxAge`, on the wall clock, isn't used. */
export function createVerifiedCredentials<Right, Wrong>(now: () => number) {
  const key = randomBytes(32).toString("base64");
  const right = new QuickLRU<string, Entry<Right>>(cacheOptions);
  const wrong = new QuickLRU<string, Entry<Wrong>>(cacheOptions);

  function find<Verdict>(cache: QuickLRU<string, Entry<Verdict>>, digest: string, users: PasswordFile) {
    const entry = cache.get(digest);
    return entry !== undefined && entry.users === users && now() - entry.at < rememberMs
      ? entry.verdict
      : undefined;
  }

  return {
    /** The cache key of a header. HMAC isn't needed: the key's length is fixed, and digests stay in this process. */
    digest: (header: string): string => hash("sha256", key + header, "base64"),

    /** The result of a recent verification against this password file. */
    find: (digest: string, users: PasswordFile): Right | Wrong | undefined =>
      find(right, digest, users) ?? find(wrong, digest, users),

    /** Whether the credential was right in the last day, by this password file or an earlier one. */
    wasRight(digest: string): boolean {
      const entry = right.get(digest);
      return entry !== undefined && now() - entry.at < exemptMs;
    },

    /** Returns whether the credential was wrong before, by an earlier password file. */
    addRight(digest: string, verdict: Right, users: PasswordFile): boolean {
      right.set(digest, { verdict, users, at: now() });
      return wrong.delete(digest);
    },

    addWrong(digest: string, verdict: Wrong, users: PasswordFile): void {
      wrong.set(digest, { verdict, users, at: now() });
    },
  };
}
