// Whether the sender of an Authorization header may come in. Cheap for a credential that was looked at a moment ago
// (memory.ts), slow for guessing (throttle.ts), and as slow for a user that isn't there as for one that is. The
// answer to the sender is src/http/access.ts's affair.

import { createHmac, randomBytes } from "node:crypto";
import { type Credentials, maxHeaderChars, parseBasicHeader } from "./basic.ts";
import type { Hashing } from "./hashes.ts";
import { createMemory } from "./memory.ts";
import type { PasswordFile } from "./password-file.ts";
import { createThrottle, type ThrottleOptions } from "./throttle.ts";

interface Welcome {
  readonly kind: "welcome";
  /** As the password file writes the name. */
  readonly user: string;
}

interface Refused {
  readonly kind: "refused";
  /** For the log: it names a user of the file, and nothing else that was sent. */
  readonly why: string;
}

export type Verdict =
  | Welcome
  | Refused
  /** Not looked at; the right password is refused too. */
  | { readonly kind: "throttled"; readonly why: string; readonly waitMs: number };

/** `address`, the sender's, is asked for when it is needed. */
export type Authenticate = (header: string | undefined, address: () => string) => Verdict | Promise<Verdict>;

export interface AuthenticateOptions extends ThrottleOptions {
  /** The password file as it is now. */
  readonly users: () => PasswordFile;
  readonly hashing: Hashing;
}

/** Hashes that are computed at one time, and how many may wait for that; more are told to come again. */
export const hashesAtOnce = 2;
export const hashesWaiting = 100;
const busyWaitMs = 1000;

const unused = "0".repeat(128);

export function createAuthenticate(options: AuthenticateOptions): Authenticate {
  const { hashing } = options;
  const memory = createMemory<Welcome, Refused>(options.now);
  const throttle = createThrottle(options);
  const queue = createQueue();
  const decoyKey = randomBytes(32);
  /** Attempts being looked at, by digest: of many calls with a new credential only one costs a hash. */
  const looking = new Map<string, Promise<Verdict>>();

  return (header, addressOf) => {
    if (header === undefined) return { kind: "refused", why: "no credentials" };
    const digest = header.length > maxHeaderChars ? "" : memory.digest(header);
    const known = memory.find(digest, options.users());
    if (known !== undefined) return known;
    const credentials = parseBasicHeader(header);
    if (credentials === undefined) return { kind: "refused", why: "credentials that can't be read" };
    const running = looking.get(digest);
    if (running !== undefined) return running;

    const name = credentials.name.toLowerCase();
    const address = addressOf();
    if (queue.isFull())
      return { kind: "throttled", why: "too many passwords wait for their hash", waitMs: busyWaitMs };
    const isExempt = memory.wasRight(digest);
    if (!isExempt) {
      const wait = throttle.take(address, name);
      if (wait !== undefined)
        return { kind: "throttled", why: `too many failures of this ${wait.by}`, waitMs: wait.ms };
    }
    const attempt = queue
      .run(() => look(name, credentials, digest, address))
      .then((verdict) => {
        if (verdict.kind === "welcome" && !isExempt) throttle.giveBack(address, name);
        return verdict;
      })
      .finally(() => looking.delete(digest));
    looking.set(digest, attempt);
    return attempt;
  };

  async function look(
    name: string,
    { password }: Credentials,
    digest: string,
    address: string,
  ): Promise<Verdict> {
    const users = options.users();
    const found = users.get(name);
    const other = decoy(users, name); // picked for a user that is there too: same work
    const isRight = await hashing.isRight(found?.hash ?? other, name, password);
    if (found !== undefined && isRight) {
      const verdict: Welcome = { kind: "welcome", user: found.name };
      // It was sent before the file had it: that was no guess.
      if (memory.rememberRight(digest, verdict, users)) throttle.giveBack(address, name);
      return verdict;
    }
    const why = found === undefined ? "unknown user" : `wrong password for user "${found.name}"`;
    const verdict: Refused = { kind: "refused", why };
    memory.rememberWrong(digest, verdict, users);
    return verdict;
  }

  /** For a name that isn't there, the hash of one that is: always the same one, so that the time tells nothing. */
  function decoy(users: PasswordFile, name: string): string {
    if (users.size === 0) return unused;
    const at = createHmac("sha256", decoyKey).update(name).digest().readUInt32LE() % users.size;
    return [...users.values()][at]?.hash ?? unused;
  }
}

/** Runs a few tasks at a time, in the order of arrival. */
function createQueue() {
  let running = 0;
  const waiting: (() => void)[] = [];
  return {
    isFull: () => waiting.length >= hashesWaiting,
    async run<T>(task: () => Promise<T>): Promise<T> {
      if (running >= hashesAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
      else running++;
      try {
        return await task();
      } finally {
        const next = waiting.shift();
        if (next === undefined) running--;
        else next(); // it takes this one's place
      }
    },
  };
}
