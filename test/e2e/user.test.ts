// tabpy-user and `tabpy user`: what they print, what they do to the file, and where passwords come from.

import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { binary, run } from "../support/binary.ts";
import { passwordHash } from "../support/password-hash.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { atTerminal } from "./terminal.ts";

const testMs = 40_000;
const python = process.env.TABPY_TEST_PYTHON ?? "python3";
const hasBcrypt = Bun.spawnSync([python, "-c", "import bcrypt"]).exitCode === 0;

/** A folder with the link tabpy-user in it. */
function userFolder() {
  const folder = temporaryFolder();
  const link = folder.file("tabpy-user");
  symlinkSync(binary, link);
  const file = folder.file("passwords");
  return {
    file,
    link,
    path: folder.file,
    read: () => readFileSync(file, "utf8"),
    user: (...args: string[]) => run(args, {}, { file: link }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

/** Run tabpy-user with standard input. */
async function withInput(link: string, args: readonly string[], input: string) {
  const child = Bun.spawn([link, ...args], { stdin: Buffer.from(input), stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

describe("tabpy-user add", () => {
  test("prints TabPy's messages for a password on the command line", async () => {
    using folder = userFolder();
    const { file } = folder;
    const first = await folder.user("add", "-u", "Alice", "-p", "P@ss:w0rd €", "-f", file);
    expect(first).toEqual({
      code: 0,
      stdout: `Parsing passwords file ${file}...
Passwords file ${file} not found
Adding username "alice"
Adding username "alice" with password "P@ss:w0rd €"...
Added username "alice" with password "P@ss:w0rd €"
`,
      stderr: "",
    });
    const second = await folder.user("add", "--username=bob", "--password", "-x -y", "--pwdfile", file);
    expect(second.stdout).toBe(`Parsing passwords file ${file}...
Found username alice
Authentication is enabled
Adding username "bob"
Adding username "bob" with password "-x -y"...
Added username "bob" with password "-x -y"
`);
    expect(folder.read()).toBe(
      `alice ${passwordHash("alice", "P@ss:w0rd €")}\nbob ${passwordHash("bob", "-x -y")}\n`,
    );
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("shows a generated password once", async () => {
    using folder = userFolder();
    const { code, stdout } = await folder.user("add", "-u", "alice", "-f", folder.file);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    const [, password = ""] = /^Generated password: "(.{16})"$/.exec(lines[2] ?? "") ?? [];
    expect(lines.toSpliced(2, 1)).toEqual([
      `Parsing passwords file ${folder.file}...`,
      `Passwords file ${folder.file} not found`,
      'Adding username "alice"',
      'Adding username "alice" with password "..."...',
      'Added username "alice" with password "..."',
    ]);
    expect(stdout.split(password)).toHaveLength(2);
    expect(folder.read()).toBe(`alice ${passwordHash("alice", password)}\n`);
  });

  test("takes a password from standard input and doesn't show it", async () => {
    using folder = userFolder();
    const args = ["add", "-u", "alice", "--password-stdin", "-f", folder.file];
    const { code, stdout, stderr } = await withInput(folder.link, args, "gehe:im \n");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toEndWith('Added username "alice" with password "..."\n');
    expect(stdout).not.toContain("gehe");
    expect(folder.read()).toBe(`alice ${passwordHash("alice", "gehe:im ")}\n`);
  });

  test(
    "asks at a terminal twice, and shows nothing of what is typed",
    async () => {
      using folder = userFolder();
      const command = [folder.link, "add", "-u", "alice", "--prompt", "-f", folder.file];
      const { code, output } = await atTerminal(command, [
        { wait: "New password: ", send: "gehx\x7feim€\r" },
        { wait: "The same again: ", send: "geheim€\r" },
      ]);
      expect(output).toContain('Added username "alice" with password "..."');
      expect(output).not.toContain("geh");
      expect(code).toBe(0);
      expect(folder.read()).toBe(`alice ${passwordHash("alice", "geheim€")}\n`);
    },
    testMs,
  );

  test(
    "changes nothing when two passwords differ, or the question is cancelled",
    async () => {
      using folder = userFolder();
      const command = [folder.link, "add", "-u", "alice", "--prompt", "-f", folder.file];
      const differ = await atTerminal(command, [
        { wait: "New password: ", send: "one\rtwo\r" }, // typed ahead
      ]);
      expect(differ.code).toBe(1);
      expect(differ.output).toContain(
        "Cannot use the password: expected the same one twice, but they differ",
      );
      for (const keys of ["on\x03", "\x04"]) {
        const broken = await atTerminal(command, [{ wait: "New password: ", send: keys }]);
        expect(broken.code).toBe(1);
        expect(broken.output).toContain("Nothing was changed: no password was given");
      }
      expect(existsSync(folder.file)).toBe(false);
    },
    testMs,
  );

  describe("of a user who is there", () => {
    const nothingChanged = 'Username "alice" is there already, with this password: nothing was changed\n';
    /** A file with alice, whose password is right. */
    const withAlice = async (...more: string[]) => {
      const folder = userFolder();
      const added = await folder.user("add", "-u", "alice", "-p", "right", "-f", folder.file, ...more);
      expect(added.code).toBe(0);
      return folder;
    };

    // Before: exit code 1, so that a container or a Procfile with `tabpy-user add ... && tabpy` started only once.
    for (const scheme of ["pbkdf2", "bcrypt"]) {
      test(`changes nothing when the password is that of the ${scheme} hash: exit code 0`, async () => {
        using folder = await withAlice("--scheme", scheme);
        chmodSync(folder.file, 0o640);
        const before = folder.read();
        for (const name of ["alice", "ALICE"]) {
          const again = await folder.user("add", "-u", name, "-p", "right", "-f", folder.file);
          const found = `Parsing passwords file ${folder.file}...\nFound username alice\nAuthentication is enabled\n`;
          expect(again).toEqual({ code: 0, stdout: found + nothingChanged, stderr: "" });
        }
        const args = ["add", "-u", "alice", "--password-stdin", "-f", folder.file];
        expect((await withInput(folder.link, args, "right\n")).code).toBe(0);
        expect([folder.read(), statSync(folder.file).mode & 0o777]).toEqual([before, 0o640]);
      });
    }

    test.skipIf(process.getuid?.() !== 0)("needs no right to write", async () => {
      using folder = await withAlice();
      for (const path of [folder.path("."), folder.file])
        chmodSync(path, path === folder.file ? 0o444 : 0o555);
      const args = ["--reuid=65534", "--regid=65534", "--clear-groups", binary, "user"];
      const other = [...args, "add", "-u", "alice", "-p", "right", "-f", folder.file];
      const { code, stdout, stderr } = await run(other, {}, { file: "setpriv" });
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toEndWith(nothingChanged);
    });

    test("is refused with another password, and without one: exit code 1", async () => {
      using folder = await withAlice();
      const before = folder.read();
      const args = ["add", "-u", "ALICE", "-f", folder.file];
      const outcomes = [
        await folder.user(...args, "-p", "wrong"),
        await folder.user(...args, "-p", "Right"),
        await withInput(folder.link, [...args, "--password-stdin"], "right \n"),
        await folder.user(...args),
      ];
      for (const { code, stdout, stderr } of outcomes) {
        expect([code, stderr]).toEqual([
          1,
          `tabpy-user: Cannot add username "alice": expected a name that "${folder.file}" doesn't have, or the password that it has for this name; update changes the password\n`,
        ]);
        expect(stdout).not.toMatch(/wrong|Right|Generated/);
      }
      expect(folder.read()).toBe(before);
    });

    test("is added once by many at once, with exit code 0 for each", async () => {
      using folder = userFolder();
      const add = () => folder.user("add", "-u", "Alice", "-p", "right", "-f", folder.file);
      const outcomes = await Promise.all(Array.from({ length: 6 }, add));
      expect(outcomes.map(({ code, stderr }) => [code, stderr])).toEqual(outcomes.map(() => [0, ""]));
      expect(outcomes.filter(({ stdout }) => stdout.includes("Added username")).length).toBe(1);
      expect(folder.read()).toBe(`alice ${passwordHash("alice", "right")}\n`);
    });
  });

  for (const name of ["a:b", "a b", "zoë", "#a"]) {
    test(`refuses the name "${name}" with the reason`, async () => {
      using folder = userFolder();
      const { code, stderr } = await folder.user("add", "-u", name, "-p", "x", "-f", folder.file);
      expect(code).toBe(1);
      expect(stderr).toStartWith(`tabpy-user: Cannot use username "${name}": expected `);
      expect(existsSync(folder.file)).toBe(false);
    });
  }

  test("leaves a file with a faulty line as it is, and names the line", async () => {
    using folder = userFolder();
    const text = `alice ${passwordHash("alice", "x")}\n\nbob\n`;
    writeFileSync(folder.file, text);
    const { code, stderr } = await folder.user("add", "-u", "carl", "-p", "y", "-f", folder.file);
    expect([code, stderr]).toEqual([
      1,
      `tabpy-user: Cannot read "${folder.file}" line 3: expected "name hash", got only a name\n`,
    ]);
    expect(folder.read()).toBe(text);
  });

  test.skipIf(!hasBcrypt)("makes a hash that Python's bcrypt verifies", async () => {
    using folder = userFolder();
    await folder.user("add", "-u", "alice", "-p", "pa:ss wörd", "--scheme", "bcrypt", "-f", folder.file);
    const program =
      "import bcrypt, sys; print(bcrypt.checkpw(sys.argv[2].encode(), open(sys.argv[1]).read().split()[1].encode()))";
    const ran = Bun.spawnSync([python, "-c", program, folder.file, "pa:ss wörd"]);
    expect(ran.stdout.toString()).toBe("True\n");
  });

  test(
    "loses no user of many writers at once",
    async () => {
      using folder = userFolder();
      writeFileSync(folder.file, `# kept\nold ${passwordHash("old", "x")}\n`, { mode: 0o600 });
      const names = Array.from({ length: 12 }, (_, at) => `user${at}`);
      const outcomes = await Promise.all(
        names.map((name) => folder.user("add", "-u", name, "-p", name, "-f", folder.file)),
      );
      expect(outcomes.map(({ code, stderr }) => [code, stderr])).toEqual(names.map(() => [0, ""]));
      expect(folder.read()).toStartWith("# kept\nold ");
      const { stdout } = await folder.user("list", "-f", folder.file);
      expect(stdout.trimEnd().split("\n").sort()).toEqual([...names, "old"].sort());
    },
    testMs,
  );
});

describe("tabpy-user update", () => {
  test("prints TabPy's messages, and keeps all other lines", async () => {
    using folder = userFolder();
    const { file } = folder;
    const other = `# all\r\nbob ${passwordHash("bob", "x")}\r\n\r\n`;
    writeFileSync(file, `${other}Alice\t${passwordHash("alice", "old")}\r\n# end`, { mode: 0o600 });
    const { code, stdout, stderr } = await folder.user("update", "-u", "alice", "-p", "new", "-f", file);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(`Parsing passwords file ${file}...
Found username bob
Found username alice
Authentication is enabled
Updating username "alice"
Updating username "alice" password  to "new"
`);
    expect(folder.read()).toBe(`${other}alice ${passwordHash("alice", "new")}\r\n# end`);
  });

  test("keeps the scheme of the user's hash unless another one is given", async () => {
    using folder = userFolder();
    await folder.user("add", "-u", "alice", "-p", "x", "--scheme", "bcrypt", "-f", folder.file);
    await folder.user("update", "-u", "alice", "-p", "y", "-f", folder.file);
    expect(folder.read()).toStartWith("alice $2b$");
    await folder.user("update", "-u", "alice", "-p", "y", "--scheme", "pbkdf2", "-f", folder.file);
    expect(folder.read()).toBe(`alice ${passwordHash("alice", "y")}\n`);
  });

  test("writes a name of another server in lower case, and reads it from any", async () => {
    using folder = userFolder();
    writeFileSync(folder.file, `ALICE ${passwordHash("alice", "x")}\nBob ${passwordHash("bob", "y")}\n`, {
      mode: 0o600,
    });
    expect((await folder.user("list", "-f", folder.file)).stdout).toBe("alice\nbob\n");
    const updated = await folder.user("update", "-u", "Alice", "-p", "z", "-f", folder.file);
    expect(updated.stdout).toContain(
      'Updating username "alice"\nUpdating username "alice" password  to "z"\n',
    );
    expect(folder.read()).toBe(`alice ${passwordHash("alice", "z")}\nBob ${passwordHash("bob", "y")}\n`);
    const verified = await folder.user("verify", "-u", "BOB", "-p", "y", "-f", folder.file);
    expect(verified.stdout).toBe('The password is that of username "bob"\n');
  });

  test("refuses an unknown name, and a missing file", async () => {
    using folder = userFolder();
    const absent = await folder.user("update", "-u", "alice", "-p", "x", "-f", folder.file);
    expect(absent.code).toBe(1);
    expect(absent.stdout).toContain(`Passwords file ${folder.file} not found\n`);
    expect(absent.stderr).toStartWith('tabpy-user: Cannot update username "alice": expected ');
    expect(existsSync(folder.file)).toBe(false);
  });

  test("reports that the file is no longer readable by others", async () => {
    using folder = userFolder();
    writeFileSync(folder.file, `alice ${passwordHash("alice", "old")}\n`, { mode: 0o644 });
    const { stderr } = await folder.user("update", "-u", "alice", "-p", "new", "-f", folder.file);
    expect(stderr).toBe(
      `Note: "${folder.file}" had mode 644 and has 600 now: only its owner can read it, so the server must run as that user\n`,
    );
  });
});

test("tabpy-user delete removes the user's line, and refuses an unknown name", async () => {
  using folder = userFolder();
  writeFileSync(folder.file, `# a\nalice ${passwordHash("alice", "x")}\nbob ${passwordHash("bob", "x")}\n`, {
    mode: 0o600,
  });
  const { code, stdout } = await folder.user("delete", "-u", "Alice", "-f", folder.file);
  expect([code, stdout.split("\n").slice(-3)]).toEqual([
    0,
    ['Deleting username "alice"', 'Deleted username "alice"', ""],
  ]);
  expect(folder.read()).toBe(`# a\nbob ${passwordHash("bob", "x")}\n`);
  const again = await folder.user("delete", "-u", "alice", "-f", folder.file);
  expect(again.code).toBe(1);
  expect(again.stderr).toBe(
    `tabpy-user: Cannot delete username "alice": expected a name that "${folder.file}" has\n`,
  );
});

test("tabpy-user verify distinguishes a right password from a wrong one, with both schemes", async () => {
  using folder = userFolder();
  await folder.user("add", "-u", "alice", "-p", "x:y", "-f", folder.file);
  await folder.user("add", "-u", "bob", "-p", "x:y", "--scheme", "bcrypt", "-f", folder.file);
  for (const name of ["alice", "bob"]) {
    const right = await folder.user("verify", "-u", name, "-p", "x:y", "-f", folder.file);
    expect(right).toEqual({ code: 0, stdout: `The password is that of username "${name}"\n`, stderr: "" });
    const args = ["verify", "-u", name, "--password-stdin", "-f", folder.file];
    expect((await withInput(folder.link, args, "x:y\n")).code).toBe(0);
    const wrong = await withInput(folder.link, args, "x:z");
    expect([wrong.code, wrong.stdout]).toEqual([1, `The password is not that of username "${name}"\n`]);
  }
  const nobody = await folder.user("verify", "-u", "carl", "-p", "x:y", "-f", folder.file);
  expect([nobody.code, nobody.stdout]).toEqual([1, 'There is no username "carl"\n']);
});

test(
  "tabpy-user verify asks at a terminal",
  async () => {
    using folder = userFolder();
    await folder.user("add", "-u", "alice", "-p", "x:y", "-f", folder.file);
    const { code, output } = await atTerminal(
      [folder.link, "verify", "-u", "alice", "-f", folder.file],
      [{ wait: "Password: ", send: "x:y\r" }],
    );
    expect([code, output]).toEqual([0, expect.stringContaining("The password is that of")]);
    expect(output).not.toContain("x:y");
  },
  testMs,
);

test("tabpy user is tabpy-user", async () => {
  using folder = userFolder();
  await run(["user", "add", "-u", "alice", "-p", "x", "-f", folder.file]);
  expect((await run(["user", "list", "-f", folder.file])).stdout).toBe("alice\n");
  expect((await folder.user("list", "-f", folder.file)).stdout).toBe("alice\n");
});

const badUsage: [args: string[], message: string][] = [
  [[], "Missing command: expected one of add, update, delete, list, verify"],
  [["remove"], 'Cannot understand "remove": expected options, or add or update'],
  [["add"], "Missing required argument: --username"],
  [["add", "-u", "a"], "Missing required argument: --pwdfile"],
  [["add", "-u", "a", "-f", "f", "-p", ""], 'Option "-p" has no value'],
  [["add", "-u", "a", "-f", "f", "-p", "x", "--prompt"], "Cannot take two passwords"],
  [["add", "-u", "a", "-f", "f", "--scheme", "md5"], "Invalid value for argument: --scheme (md5)."],
  [
    ["add", "-u", "a", "-f", "f", "--prompt"],
    "Cannot ask for the password: standard input is not a terminal",
  ],
  [["list", "-u", "a"], 'Unknown option "-u"'],
];
for (const [args, message] of badUsage) {
  test(`tabpy-user ${args.join(" ")} is bad usage: exit code 2`, async () => {
    using folder = userFolder();
    const { code, stdout, stderr } = await folder.user(...args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toStartWith(`tabpy-user: ${message}`);
    expect(stderr).toEndWith('\nTry "tabpy-user --help"\n');
  });
}

test("--help of tabpy-user names every command, and each its options and an example", async () => {
  using folder = userFolder();
  const { stdout } = await folder.user("--help");
  for (const name of ["add", "update", "delete", "list", "verify"]) expect(stdout).toContain(name);
  const add = (await folder.user("add", "--help")).stdout;
  for (const option of [
    "-u, --username",
    "-p, --password",
    "-f, --pwdfile",
    "--password-stdin",
    "--prompt",
    "--scheme",
  ])
    expect(add).toContain(option);
  expect(add).toContain("EXAMPLE\n\n  tabpy-user add ");
});
