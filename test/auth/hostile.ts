// Headers and password files as an attacker, or a broken disk, would write them: made of sound ones and noise.

import type { Random } from "./random.ts";

/** An Authorization header without right credentials, for users whose password is none of `names`. */
export function hostileHeader(random: Random, names: readonly string[]): string {
  const scheme = random.pick([
    "Basic",
    "basic",
    "BASIC",
    "Bearer",
    "Digest",
    "Negotiate",
    "",
    "Basic\t",
    "Básic",
  ]);
  const space = random.pick([" ", "  ", "", "\t", " ".repeat(50)]);
  return `${scheme}${space}${hostileToken(random, names)}${random.pick(["", "", " ", ",", " x", "\x00", "=", ", Basic YTpi"])}`;
}

function hostileToken(random: Random, names: readonly string[]): string {
  const name = random.pick([...names, "", "root", "constructor", "__proto__", "toString", "a".repeat(3000)]);
  const noise = random.bytes(random.below(40));
  switch (random.below(8)) {
    case 0:
      return noise.toString("base64");
    case 1:
      return Buffer.from(`${name}:${noise.toString("latin1")}`).toString("base64");
    case 2:
      return Buffer.from(`${name}\x00:${noise}`).toString("base64");
    case 3:
      return Buffer.concat([Buffer.from(`${name}:`), noise])
        .toString("base64")
        .slice(random.below(6));
    case 4:
      return noise.toString("latin1");
    case 5:
      return `${Buffer.from(name).toString("base64url")}.${noise.toString("base64url")}`;
    case 6:
      return "A".repeat(random.below(9000));
    default:
      return Buffer.from(`${name}:${"x".repeat(random.below(5000))}`).toString("base64");
  }
}

/** The text of a password file with sound and broken lines. */
export function hostilePasswordFile(random: Random, hashes: readonly string[]): string {
  const lines = Array.from({ length: random.below(6) }, () => hostileLine(random, hashes));
  return lines.join(random.pick(["\n", "\n", "\r\n", "\r", "\n\n", "\x00", "\u2028"]));
}

function hostileLine(random: Random, hashes: readonly string[]): string {
  const name = random.pick([
    "alice",
    "Alice",
    "bob",
    "zoë",
    "__proto__",
    "constructor",
    "#",
    "",
    "\ufeffeve",
    "a:b",
  ]);
  const hash = random.pick([...hashes, "", "$2b$99$x", "$2b$31$"]);
  const broken = random.below(3) === 0 ? hash.slice(random.below(hash.length + 1)) : hash;
  const space = random.pick([" ", " ", "\t", "  ", "", "\u00a0"]);
  const line = `${random.pick(["", "", " ", "#"])}${name}${space}${broken}${random.pick(["", "", "", " x", " "])}`;
  return random.below(4) === 0 ? line + random.bytes(random.below(20)).toString("latin1") : line;
}
