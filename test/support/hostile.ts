// Headers and password files as an attacker or a broken disk would write them: valid ones mixed with random bytes.

import { pick, type Random, randomBytes } from "./random.ts";

/** An Authorization header without valid credentials, unless a password is one of `names`. */
export function hostileHeader(random: Random, names: readonly string[]): string {
  const scheme = pick(random, [
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
  const space = pick(random, [" ", "  ", "", "\t", " ".repeat(50)]);
  return `${scheme}${space}${hostileToken(random, names)}${pick(random, ["", "", " ", ",", " x", "\x00", "=", ", Basic YTpi"])}`;
}

function hostileToken(random: Random, names: readonly string[]): string {
  const name = pick(random, [...names, "", "root", "constructor", "__proto__", "toString", "a".repeat(3000)]);
  const noise = randomBytes(random, random(40));
  switch (random(8)) {
    case 0:
      return noise.toString("base64");
    case 1:
      return Buffer.from(`${name}:${noise.toString("latin1")}`).toString("base64");
    case 2:
      return Buffer.from(`${name}\x00:${noise}`).toString("base64");
    case 3:
      return Buffer.concat([Buffer.from(`${name}:`), noise])
        .toString("base64")
        .slice(random(6));
    case 4:
      return noise.toString("latin1");
    case 5:
      return `${Buffer.from(name).toString("base64url")}.${noise.toString("base64url")}`;
    case 6:
      return "A".repeat(random(9000));
    default:
      return Buffer.from(`${name}:${"x".repeat(random(5000))}`).toString("base64");
  }
}

/** The text of a password file with valid and broken lines. */
export function hostilePasswordFile(random: Random, hashes: readonly string[]): string {
  const lines = Array.from({ length: random(6) }, () => hostileLine(random, hashes));
  return lines.join(pick(random, ["\n", "\n", "\r\n", "\r", "\n\n", "\x00", "\u2028"]));
}

function hostileLine(random: Random, hashes: readonly string[]): string {
  const name = pick(random, [
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
  const hash = pick(random, [...hashes, "", "$2b$99$x", "$2b$31$"]);
  const broken = random(3) === 0 ? hash.slice(random(hash.length + 1)) : hash;
  const space = pick(random, [" ", " ", "\t", "  ", "", "\u00a0"]);
  const line = `${pick(random, ["", "", " ", "#"])}${name}${space}${broken}${pick(random, ["", "", "", " x", " "])}`;
  return random(4) === 0 ? line + randomBytes(random, random(20)).toString("latin1") : line;
}
