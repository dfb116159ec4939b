// Limits password guessing: the failures per minute from one address, for one user from one address, and, with a higher
// limit, for one user from all addresses, so that guesses from one address don't lock the user out at another. They are
// token buckets: a failure takes a token, tokens are refilled at a constant rate, and without a token nothing is
// verified. authenticate.ts decides who is exempt.

import { hash } from "node:crypto";
import { isIPv6 } from "node:net";

export interface ThrottleOptions {
  /** Failures per minute, those of a user from one address; 0 for no limit. */
  readonly failuresPerUser: number;
  readonly failuresPerAddress: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

/** Which limit refuses an attempt, and for how long. */
export interface Wait {
  readonly by: "address" | "user" | "user from all addresses";
  readonly ms: number;
}

const minuteMs = 60_000;
/** How many times the failures of a user from one address are allowed from all addresses. */
export const allAddressesFactor = 10;
/** Buckets for addresses, and as many for users, and for both. Beyond that, the one whose last failure is oldest is dropped. */
export const maxBuckets = 10_000;

export function createThrottle(options: ThrottleOptions) {
  const addresses = createBuckets(options.failuresPerAddress, options.now);
  const pairs = createBuckets(options.failuresPerUser, options.now);
  const users = createBuckets(options.failuresPerUser * allAddressesFactor, options.now);
  /** In the order in which they are asked. */
  const limitsOf = (address: string, name: string) => {
    const network = networkOf(address);
    const user = userKey(name);
    return [
      { by: "address", buckets: addresses, key: network },
      { by: "user", buckets: pairs, key: `${user} ${network}` },
      { by: "user from all addresses", buckets: users, key: user },
    ] as const;
  };
  return {
    /** Counts an attempt as failed before it is verified, so that concurrent ones don't exceed the limit. */
    take(address: string, name: string): Wait | undefined {
      const limits = limitsOf(address, name);
      for (const [at, { by, buckets, key }] of limits.entries()) {
        const ms = buckets.take(key);
        if (ms === 0) continue;
        for (const before of limits.slice(0, at)) before.buckets.giveBack(before.key);
        return { by, ms };
      }
      return undefined;
    },
    /** Undoes `take`: the password was right. */
    giveBack(address: string, name: string): void {
      for (const { buckets, key } of limitsOf(address, name)) buckets.giveBack(key);
    },
  };
}

interface Bucket {
  /** Tokens taken at the time `at`. */
  level: number;
  at: number;
}

function createBuckets(limit: number, now: () => number) {
  const buckets = new Map<string, Bucket>();
  const levelOf = ({ level, at }: Bucket, time: number) =>
    Math.max(0, level - ((time - at) * limit) / minuteMs);
  return {
    /** 0 when a token was available, otherwise the milliseconds until the next one. */
    take(key: string): number {
      if (limit === 0) return 0;
      const time = now();
      const found = buckets.get(key);
      const level = found === undefined ? 0 : levelOf(found, time);
      if (level + 1 > limit) return Math.ceil(((level + 1 - limit) * minuteMs) / limit);
      buckets.delete(key); // keeps the map in the order of the last failures
      const [oldest] = buckets.keys();
      if (buckets.size >= maxBuckets && oldest !== undefined) buckets.delete(oldest);
      buckets.set(key, { level: level + 1, at: time });
      return 0;
    },
    giveBack(key: string): void {
      const found = buckets.get(key);
      if (found !== undefined) found.level = Math.max(0, found.level - 1);
      if (found?.level === 0) buckets.delete(key);
    },
  };
}

/** A hash, because the sender decides how long a name is. */
function userKey(name: string): string {
  return hash("sha256", name, "base64");
}

/** The address, or the /64 network of an IPv6 address: one sender may use every address in it. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const plain = address.replace(/%.*$/, "");
  if (!isIPv6(plain)) return address;
  const [head = "", tail] = plain.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array<string>(zeros).fill("0"), ...after].slice(0, 4).join(":").toLowerCase();
}
