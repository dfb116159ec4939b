import { describe, expect, test } from "bun:test";
import { hashSync } from "bcryptjs";
import { exemptMs, rememberMs } from "../../src/auth/verified-credentials.ts";
import { hostileHeader } from "../support/hostile.ts";
import { passwordHash } from "../support/password-hash.ts";
import { createRandom } from "../support/random.ts";
import { authenticateBy } from "./authenticate-by.ts";

const alice = `Alice ${passwordHash("alice", "s3cret")}`;
const bob = `bob ${passwordHash("bob", "a:b:ü")}`;
const carl = `carl ${hashSync("s3cret", 4)}`;
const verified = (user: string) => ({ kind: "verified", user }) as const;
const wrong = (user: string) => ({ kind: "refused", why: `wrong password for user "${user}"` }) as const;
const unknown = { kind: "refused", why: "unknown user" } as const;

describe("createAuthenticate()", () => {
  test("verifies a user, and computes the hash once", async () => {
    await using auth = authenticateBy(alice);
    for (let turn = 0; turn < 3; turn++) expect(await auth.ask("alice:s3cret")).toEqual(verified("alice"));
    expect(auth.work).toEqual(["pbkdf2"]);
  });

  test("verifies a user with a bcrypt hash", async () => {
    await using auth = authenticateBy(`${alice}\n${carl}`);
    expect(await auth.ask("carl:s3cret")).toEqual(verified("carl"));
    expect(await auth.ask("carl:S3cret")).toEqual(wrong("carl"));
    expect(auth.work).toEqual(["bcrypt", "bcrypt"]);
  });

  test("computes one hash for many concurrent calls with one new credential", async () => {
    await using auth = authenticateBy(alice);
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => auth.ask("alice:s3cret")));
    expect(verdicts).toEqual(verdicts.map(() => verified("alice")));
    expect(auth.work).toHaveLength(1);
  });

  test("ignores the case of names", async () => {
    await using auth = authenticateBy(alice);
    for (const name of ["alice", "Alice", "ALICE"])
      expect(await auth.ask(`${name}:s3cret`)).toEqual(verified("alice"));
  });

  test("accepts a password with colons and umlauts", async () => {
    await using auth = authenticateBy(bob);
    expect(await auth.ask("bob:a:b:ü")).toEqual(verified("bob"));
  });

  test("refuses any pair but a user's own, even after that user was verified", async () => {
    await using auth = authenticateBy(`${alice}\n${bob}`);
    await auth.ask("alice:s3cret");
    for (const pair of ["alice:S3cret", "alice:", "alice:s3cret "])
      expect({ pair, verdict: await auth.ask(pair) }).toEqual({ pair, verdict: wrong("alice") });
    expect(await auth.ask("bob:s3cret")).toEqual(wrong("bob"));
    for (const pair of ["carol:s3cret", ":", ":s3cret", "alices3cret:"])
      expect({ pair, verdict: await auth.ask(pair) }).toEqual({ pair, verdict: unknown });
  });

  test("refuses a missing header and an unreadable one with the reason, and computes nothing", async () => {
    await using auth = authenticateBy(alice);
    expect(await auth.authenticate(undefined, () => "")).toEqual({ kind: "refused", why: "no credentials" });
    const unreadable = { kind: "refused", why: "malformed credentials" };
    for (const header of ["", "Bearer abc", "Basic ***", `Basic ${"A".repeat(5000)}`])
      expect(await auth.authenticate(header, () => "")).toEqual(unreadable as never);
    expect(auth.work).toEqual([]);
  });

  test("refuses everyone when the file has no users, with the same work", async () => {
    await using auth = authenticateBy("# nobody\n");
    expect(await auth.ask("alice:s3cret")).toEqual(unknown);
    expect(auth.work).toEqual(["pbkdf2"]);
  });

  test("does the same work for an unknown name as for a user, every time", async () => {
    await using auth = authenticateBy(`${alice}\n${carl}`, { failuresPerAddress: 0, failuresPerUser: 0 });
    const seen = new Set<unknown>();
    for (let at = 0; at < 40; at++) {
      await auth.ask(`nobody${at}:x`);
      await auth.ask(`nobody${at}:y`);
      const [first, second] = auth.work.splice(0);
      expect(second).toBe(first as never);
      seen.add(first);
    }
    expect([...seen].sort()).toEqual(["bcrypt", "pbkdf2"]);
  });

  test("refuses an unknown name with the password of the user whose hash is its decoy", async () => {
    await using auth = authenticateBy(carl);
    expect(await auth.ask("nobody:s3cret")).toEqual(unknown);
    expect(auth.work).toEqual(["bcrypt"]);
  });

  test("verifies a credential again when its cached result has expired, right or wrong", async () => {
    await using auth = authenticateBy(alice);
    for (const [pair, verdict] of [
      ["alice:s3cret", verified("alice")],
      ["alice:x", wrong("alice")],
    ] as const) {
      auth.work.length = 0;
      expect(await auth.ask(pair)).toEqual(verdict);
      auth.pass(rememberMs - 1);
      expect(await auth.ask(pair)).toEqual(verdict);
      expect(auth.work).toHaveLength(1);
      auth.pass(1);
      expect(await auth.ask(pair)).toEqual(verdict);
      expect(auth.work).toHaveLength(2);
    }
  });

  test("forgets everything when the file changes", async () => {
    await using auth = authenticateBy(`${alice}\n${bob}`);
    await auth.ask("alice:s3cret");
    await auth.ask("bob:a:b:ü");
    await auth.ask("carl:s3cret");
    auth.use(`alice ${passwordHash("alice", "new")}\n${carl}`);
    expect(await auth.ask("alice:s3cret")).toEqual(wrong("alice"));
    expect(await auth.ask("alice:new")).toEqual(verified("alice"));
    expect(await auth.ask("bob:a:b:ü")).toEqual(unknown);
    expect(await auth.ask("carl:s3cret")).toEqual(verified("carl"));
  });

  test("verifies no password of a user from an address for a while after too many wrong ones", async () => {
    await using auth = authenticateBy(`${alice}\n${bob}`, { failuresPerUser: 3 });
    for (const turn of [1, 2, 3]) expect(await auth.ask(`alice:${turn}`)).toEqual(wrong("alice"));
    const throttled = { kind: "throttled", why: "too many failures of this user", waitMs: 20_000 } as const;
    expect(await auth.ask("alice:4")).toEqual(throttled);
    expect(await auth.ask("ALICE:s3cret")).toEqual(throttled);
    expect(await auth.ask("bob:a:b:ü")).toEqual(verified("bob"));
    expect(auth.work).toHaveLength(4);
    auth.pass(20_000);
    expect(await auth.ask("alice:s3cret")).toEqual(verified("alice"));
  });

  test("lets a user log in for the first time while others guess from another address", async () => {
    await using auth = authenticateBy(alice, { failuresPerUser: 3 });
    for (let turn = 0; turn < 50; turn++) await auth.ask(`alice:${turn}`, "192.0.2.66");
    expect(await auth.ask("alice:s3cret", "192.0.2.1")).toEqual(verified("alice"));
  });

  test("verifies no password of a user for a while after too many wrong ones from all addresses", async () => {
    await using auth = authenticateBy(alice, { failuresPerUser: 1 });
    for (let turn = 0; turn < 10; turn++)
      expect(await auth.ask(`alice:${turn}`, `192.0.2.${turn}`)).toEqual(wrong("alice"));
    const why = "too many failures of this user from all addresses";
    expect(await auth.ask("alice:s3cret", "192.0.2.10")).toEqual({ kind: "throttled", why, waitMs: 6000 });
    auth.pass(6000);
    expect(await auth.ask("alice:s3cret", "192.0.2.10")).toEqual(verified("alice"));
  });

  test("throttles an unknown name like a known one", async () => {
    await using auth = authenticateBy(alice, { failuresPerUser: 1 });
    const all = async (name: string) => [await auth.ask(`${name}:1`), await auth.ask(`${name}:2`)];
    const kinds = async (name: string) => (await all(name)).map(({ kind }) => kind);
    expect(await kinds("alice")).toEqual(["refused", "throttled"]);
    expect(await kinds("nobody")).toEqual(["refused", "throttled"]);
  });

  test("verifies nothing from an address after too many failures, whatever the names", async () => {
    await using auth = authenticateBy(alice, { failuresPerAddress: 3 });
    for (const turn of [1, 2, 3]) expect(await auth.ask(`user${turn}:x`)).toEqual(unknown);
    expect(await auth.ask("alice:s3cret")).toMatchObject({ kind: "throttled", waitMs: 20_000 });
    expect(await auth.ask("alice:s3cret", "192.0.2.9")).toEqual(verified("alice"));
  });

  test("lets through no more concurrent guesses than sequential ones", async () => {
    await using auth = authenticateBy(alice, { failuresPerUser: 5 });
    const verdicts = await Promise.all(Array.from({ length: 40 }, (_, at) => auth.ask(`alice:${at}`)));
    expect(verdicts.filter(({ kind }) => kind === "refused")).toHaveLength(5);
    expect(auth.work).toHaveLength(5);
  });

  test("counts a wrong password once, however often it is sent", async () => {
    await using auth = authenticateBy(alice, { failuresPerUser: 2 });
    for (let turn = 0; turn < 10; turn++) expect(await auth.ask("alice:old")).toEqual(wrong("alice"));
    expect(await auth.ask("alice:s3cret")).toEqual(verified("alice"));
    expect(auth.work).toHaveLength(2);
  });

  test("doesn't count a right password", async () => {
    await using auth = authenticateBy(alice, { failuresPerUser: 1, failuresPerAddress: 1 });
    for (let turn = 0; turn < 5; turn++) {
      expect(await auth.ask("alice:s3cret")).toEqual(verified("alice"));
      auth.pass(rememberMs);
    }
  });

  test("never throttles a credential that was right, even when it must be verified again", async () => {
    await using auth = authenticateBy(alice, { failuresPerUser: 1, failuresPerAddress: 1 });
    await auth.ask("alice:s3cret");
    await auth.ask("alice:guess");
    expect(await auth.ask("alice:other")).toMatchObject({ kind: "throttled" });
    expect(await auth.ask("alice:s3cret")).toEqual(verified("alice"));
    auth.use(alice);
    expect(await auth.ask("alice:s3cret")).toEqual(verified("alice"));
    expect(auth.work).toHaveLength(3);
  });

  test("doesn't count a credential that was right before, or has become right since", async () => {
    await using auth = authenticateBy(alice, { failuresPerUser: 1, failuresPerAddress: 1 });
    for (const password of ["s3cret", "second", "third", "fourth"]) {
      if (password !== "s3cret") {
        auth.use(`Alice ${passwordHash("alice", password)}`);
        expect(await auth.ask("alice:s3cret")).toEqual(wrong("alice"));
      }
      expect(await auth.ask(`alice:${password}`)).toEqual(verified("alice"));
    }
    expect(await auth.ask("alice:fifth")).toEqual(wrong("alice"));
    auth.use(`Alice ${passwordHash("alice", "fifth")}`);
    auth.pass(60_000);
    expect(await auth.ask("alice:fifth")).toEqual(verified("alice"));
    expect(await auth.ask("alice:guess")).toEqual(wrong("alice"));
  });

  test("doesn't exempt a credential that was last right over a day ago", async () => {
    await using auth = authenticateBy(alice, { failuresPerUser: 1 });
    await auth.ask("alice:s3cret");
    auth.pass(exemptMs);
    expect(await auth.ask("alice:guess")).toEqual(wrong("alice"));
    expect(await auth.ask("alice:s3cret")).toMatchObject({ kind: "throttled" });
  });

  test("lets a limited number of verifications wait, and throttles the others", async () => {
    await using auth = authenticateBy(alice, { failuresPerUser: 0, failuresPerAddress: 0 });
    const verdicts = await Promise.all(Array.from({ length: 300 }, (_, at) => auth.ask(`alice:${at}`)));
    expect(verdicts.filter(({ kind }) => kind === "refused")).toHaveLength(102);
    expect(verdicts.at(-1)).toMatchObject({ kind: "throttled", waitMs: 1000 });
    expect(await auth.ask("alice:s3cret")).toEqual(verified("alice"));
  });

  test("refuses 10,000 hostile headers, and survives them", async () => {
    await using auth = authenticateBy(`${alice}\n${bob}\n${carl}`, { failuresPerUser: 500 });
    const random = createRandom(4);
    const kinds = new Map<string, number>();
    for (let at = 0; at < 10_000; at++) {
      const header = hostileHeader(random, ["alice", "bob", "carl"]);
      const { kind } = await auth.authenticate(header, () => `192.0.2.${at % 100}`);
      if (kind === "verified") throw new Error(`came in with ${JSON.stringify(header)}`);
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    expect([...kinds.keys()]).toEqual(["refused"]);
    expect(auth.work.length).toBeGreaterThan(100); // the headers that could be read
  }, 60_000);
});
