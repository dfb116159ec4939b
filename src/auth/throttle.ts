// Slows down guessing: how many wrong names and passwords an address, and a user, may send in a minute. Each has a
// bucket that a failure fills by one and that empties at an even pace; while it is full, nothing is looked at.
// Who is exempt, and what the answer is, is the affair of authenticate.ts and src/http/access.ts.

import { hash } from "node:crypto";
import { isIPv6 } from "node:net";

export interface ThrottleOptions {
  /** Failures in a minute; 0 for any number. */
  readonly failuresPerUser: number;
  readonly failuresPerAddress: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

export type Throttle = ReturnType<typeof createThrottle>;

/** Why and for how long an attempt isn't looked at. */
export interface Wait {
  readonly by: "address" | "user";
  readonly ms: number;
}

const minuteMs = 60_000;
/** Addresses, and users, that are counted at one time; the one that failed longest ago is forgotten for a new one. */
export const maxBuckets = 10_000;

export function createThrottle(options: ThrottleOptions) {
  const addresses = createBuckets(options.failuresPerAddress, options.now);
  const users = createBuckets(options.failuresPerUser, options.now);
  return {
    /** Counts an attempt as failed, before it is looked at: of many at once no more pass than one after the other. */
    take(address: string, name: string): Wait | undefined {
      const network = networkOf(address);
      const ms = addresses.take(network);
      if (ms > 0) return { by: "address", ms };
      const userMs = users.take(userKey(name));
      if (userMs === 0) return undefined;
      addresses.giveBack(network);
      return { by: "user", ms: userMs };
    },
    /** The attempt was none: the password was right. */
    giveBack(address: string, name: string): void {
      addresses.giveBack(networkOf(address));
      users.giveBack(userKey(name));
    },
  };
}

interface Bucket {
  level: number;
  at: number;
}

function createBuckets(limit: number, now: () => number) {
  const buckets = new Map<string, Bucket>();
  const levelOf = ({ level, at }: Bucket, time: number) =>
    Math.max(0, level - ((time - at) * limit) / minuteMs);
  return {
    /** 0 when there was room, else the milliseconds until there is. */
    take(key: string): number {
      if (limit === 0) return 0;
      const time = now();
      const found = buckets.get(key);
      const level = found === undefined ? 0 : levelOf(found, time);
      if (level + 1 > limit) return Math.ceil(((level + 1 - limit) * minuteMs) / limit);
      buckets.delete(key); // and set anew: the map's order is that of the last failure
      if (buckets.size >= maxBuckets) {
        const [oldest] = buckets.keys();
        if (oldest !== undefined) buckets.delete(oldest);
      }
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

/** Names are as long as a sender likes; what is kept of them isn't. */
function userKey(name: string): string {
  return hash("sha256", name, "base64");
}

/** An IPv4 address, or the half of an IPv6 address that names a network: one sender has all of the other half. */
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
