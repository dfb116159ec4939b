// The credentials that were looked at, right and wrong ones, so that a hash is computed once and not for every call.
// Kept are digests under a key of this process, never a password.

import { hash, randomBytes } from "node:crypto";
import type { PasswordFile } from "./password-file.ts";

/** How long a credential is answered without a look at its hash, while the password file stays as it is. */
export const rememberMs = 5 * 60_000;
/** How long it is known to have been right. It is no guess then, and not throttled, also when it has become wrong. */
export const exemptMs = 24 * 60 * 60_000;
/** Right ones, and as many wrong ones: they have lists of their own, so that guessing makes none forgotten. */
export const maxRemembered = 1000;

interface Entry<Verdict> {
  readonly verdict: Verdict;
  /** The file that it was looked at by. */
  readonly users: PasswordFile;
  readonly at: number;
}

/** `now`: milliseconds of a clock that never goes back. */
export function createMemory<Right, Wrong>(now: () => number) {
  const key = randomBytes(32).toString("base64");
  const right = new Map<string, Entry<Right>>();
  const wrong = new Map<string, Entry<Wrong>>();

  function find<Verdict>(entries: Map<string, Entry<Verdict>>, digest: string, users: PasswordFile) {
    const entry = entries.get(digest);
    return entry !== undefined && entry.users === users && now() - entry.at < rememberMs
      ? entry.verdict
      : undefined;
  }

  return {
    /** What stands for a header here. The key is of fixed length, and no digest leaves: a hash with a key before. */
    digest: (header: string): string => hash("sha256", key + header, "base64"),

    /** What was found not long ago, by the present file. */
    find: (digest: string, users: PasswordFile): Right | Wrong | undefined =>
      find(right, digest, users) ?? find(wrong, digest, users),

    /** Whether it was right at some time, by this file or an earlier one. */
    wasRight(digest: string): boolean {
      const entry = right.get(digest);
      return entry !== undefined && now() - entry.at < exemptMs;
    },

    /** Returns whether it was wrong before, by an earlier file. */
    rememberRight(digest: string, verdict: Right, users: PasswordFile): boolean {
      setNewest(right, digest, { verdict, users, at: now() });
      return wrong.delete(digest);
    },

    rememberWrong(digest: string, verdict: Wrong, users: PasswordFile): void {
      setNewest(wrong, digest, { verdict, users, at: now() });
    },
  };
}

/** The order of the map is that of the last look; the oldest makes room. */
function setNewest<Value>(entries: Map<string, Value>, digest: string, value: Value): void {
  entries.delete(digest);
  const [oldest] = entries.keys();
  if (entries.size >= maxRemembered && oldest !== undefined) entries.delete(oldest);
  entries.set(digest, value);
}
