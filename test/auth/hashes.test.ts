import { describe, expect, test } from "bun:test";
import { hashSync } from "bcryptjs";
import { Bcrypt } from "../../src/auth/bcrypt.ts";
import { createHashing, schemeOf } from "../../src/auth/hashes.ts";
import { passwordHash } from "../support/password-hash.ts";

const python = process.env.TABPY_TEST_PYTHON ?? "python3";
/** A pair that TabPy itself wrote. */
const known =
  "b8a63cf588cd2399da615042de4732f5b121c4d1042acfb91598a56d2dd3e1d7b9f785213262eddbbd00c7a8c9c3e89d7cb98f31d405cc644b1aeba92c3de40b";

function withHashing() {
  const bcrypt = new Bcrypt();
  return { ...createHashing(bcrypt), bcrypt, [Symbol.asyncDispose]: () => bcrypt.stop() };
}

const hasBcrypt = Bun.spawnSync([python, "-c", "import bcrypt"]).exitCode === 0;

function pythonPrints(program: string, ...args: string[]): string {
  const ran = Bun.spawnSync([python, "-c", program, ...args]);
  if (ran.exitCode !== 0) throw new Error(ran.stderr.toString());
  return ran.stdout.toString().trim();
}

const formula = `import hashlib, sys
name, password = sys.argv[1:]
print(hashlib.pbkdf2_hmac("sha512", password.encode(), f"_$salt@tabpy:{name.lower()}$_".encode(), 10000).hex())`;

describe("schemeOf()", () => {
  const digits = "x".repeat(53);
  const table: [hash: string, scheme: string | undefined][] = [
    [known, "pbkdf2"],
    [known.toUpperCase(), "pbkdf2"],
    [known.slice(1), undefined],
    [`${known}0`, undefined],
    [hashSync("x", 4), "bcrypt"],
    [`$2a$10$${digits}`, "bcrypt"],
    [`$2y$15$${digits}`, "bcrypt"],
    [`$2b$03$${digits}`, undefined],
    [`$2b$16$${digits}`, undefined],
    [`$2x$10$${digits}`, undefined],
    [`$2b$10$${digits}x`, undefined],
    ["", undefined],
  ];
  for (const [hash, scheme] of table)
    test(`recognizes ${hash.slice(0, 10)}... of ${hash.length} characters as ${scheme}`, () =>
      expect(schemeOf(hash)).toBe(scheme as never));
});

describe("createHashing()", () => {
  const table: [name: string, password: string, isRight: boolean][] = [
    ["user1", "P@ssw0rd", true],
    ["user1", "p@ssw0rd", false],
    ["user1", "P@ssw0rd ", false],
    ["user1", "", false],
    ["user2", "P@ssw0rd", false],
  ];
  for (const [name, password, isRight] of table) {
    test(`${isRight ? "accepts" : "refuses"} "${name}" with "${password}" for TabPy's own hash`, async () => {
      await using hashing = withHashing();
      expect(await hashing.verify(known, name, password)).toBe(isRight);
      expect(await hashing.verify(known.toUpperCase(), name, password)).toBe(isRight);
    });
  }

  for (const password of ["P@ssw0rd", "pa:ss wörd €", "日本", "x".repeat(300)]) {
    test(`hashes "${password.slice(0, 20)}" as the contract's formula in Python does`, async () => {
      await using hashing = withHashing();
      const hash = await hashing.hash("pbkdf2", "bob", password);
      expect(hash).toBe(pythonPrints(formula, "Bob", password));
      expect(hash).toBe(passwordHash("bob", password));
    });
  }

  test("makes and verifies bcrypt hashes", async () => {
    await using hashing = withHashing();
    const hash = await hashing.hash("bcrypt", "bob", "pa:ss wörd");
    expect(hash).toMatch(/^\$2b\$10\$/);
    expect(await hashing.verify(hash, "bob", "pa:ss wörd")).toBe(true);
    expect(await hashing.verify(hash, "bob", "pa:ss wörd ")).toBe(false);
  });

  test.skipIf(!hasBcrypt)(
    "makes bcrypt hashes that Python's bcrypt knows, and knows those of it",
    async () => {
      const program = `import bcrypt, sys
print(bcrypt.checkpw(sys.argv[2].encode(), sys.argv[1].encode()), bcrypt.hashpw(sys.argv[2].encode(), bcrypt.gensalt(4)).decode())`;
      await using hashing = withHashing();
      const printed = pythonPrints(program, await hashing.hash("bcrypt", "bob", "pa:ss wörd"), "pa:ss wörd");
      const [isRight, theirs = ""] = printed.split(" ");
      expect(isRight).toBe("True");
      expect(await hashing.verify(theirs, "bob", "pa:ss wörd")).toBe(true);
      expect(await hashing.verify(theirs, "bob", "other")).toBe(false);
    },
  );

  test("doesn't block the event loop while it computes", async () => {
    await using hashing = withHashing();
    const hash = hashSync("x", 4).replace("$2b$04$", "$2b$12$"); // a third of a second
    let turns = 0;
    let isRunning = true;
    const turn = () => {
      turns++;
      if (isRunning) setImmediate(turn);
    };
    setImmediate(turn);
    await hashing.verify(hash, "bob", "y");
    isRunning = false;
    expect(turns).toBeGreaterThan(50);
  });
});

describe("Bcrypt", () => {
  test("rejects pending hashes when it is stopped, and starts again", async () => {
    const bcrypt = new Bcrypt();
    const waiting = bcrypt.hash("x", 12).catch((error: Error) => error.message);
    await bcrypt.stop();
    expect(await waiting).toBe("The server is stopping");
    expect(await bcrypt.compare("x", await bcrypt.hash("x", 4))).toBe(true);
    await bcrypt.stop();
    await bcrypt.stop();
  });

  test("reports that a hash can't be computed, without password or hash", async () => {
    const bcrypt = new Bcrypt();
    const fault = await bcrypt.hash("geheim", "ten" as never).catch((error: Error) => error.message);
    expect(fault).toStartWith("bcrypt failed: ");
    expect(fault).not.toContain("geheim");
    await bcrypt.stop();
  });
});
