// `tabpy-user`, also `tabpy user`: manages the users of a password file. user-changes.ts changes the file, passwords.ts
// gets the passwords.

import { stat } from "node:fs/promises";
import type { ArgDef, ArgsDef } from "citty";
import { Bcrypt } from "../auth/bcrypt.ts";
import { createHashing, type Hashing, schemes } from "../auth/hashes.ts";
import { readPasswordFile, type User } from "../auth/password-file.ts";
import { TabPyError } from "../errors.ts";
import { givenPassword, passwordToVerify } from "./passwords.ts";
import type { CliCommand, GivenArgs } from "./run.ts";
import { addUser, deleteUser, updateUser } from "./user-changes.ts";

const file = {
  type: "string",
  alias: "f",
  valueHint: "FILE",
  required: true,
  description: "Passwords file, the one that TABPY_PWD_FILE names",
} as const;
const username = {
  type: "string",
  alias: "u",
  valueHint: "NAME",
  required: true,
  description: "User",
} as const;
const password = {
  type: "string",
  alias: "p",
  valueHint: "PASSWORD",
  description: "Password; others on this machine can see it in the list of processes",
} as const;
const passwordStdin = { type: "boolean", description: "Read the password from standard input" } as const;
const scheme: ArgDef = {
  type: "enum",
  options: [...schemes],
  description:
    "Hash: pbkdf2, which TabPy's own server reads too, or bcrypt, which is safer when the file is stolen; pbkdf2 by default, update keeps the user's",
};

const changeArgs = {
  username,
  password,
  pwdfile: file,
  "password-stdin": passwordStdin,
  prompt: { type: "boolean", description: "Ask for the password at the terminal, twice, and don't show it" },
  scheme,
} as const satisfies ArgsDef;

const add = userAction({
  name: "add",
  description:
    "Add a user; without a password one is generated and shown; a user who is there with the given password is no error",
  args: changeArgs,
  example: "add -u alice --prompt -f /etc/tabpy/passwords",
  run: (args, hashing) => change(args, hashing, addUser),
});
const update = userAction({
  name: "update",
  description: "Change a user's password; without one it is generated and shown",
  args: changeArgs,
  example: "update -u alice --prompt -f /etc/tabpy/passwords",
  run: (args, hashing) => change(args, hashing, updateUser),
});
const remove = userAction({
  name: "delete",
  description: "Delete a user",
  args: { username, pwdfile: file },
  example: "delete -u alice -f /etc/tabpy/passwords",
  run: async (args) => {
    await noteReaders(args, () =>
      deleteUser({ file: String(args.pwdfile), name: String(args.username), print }),
    );
    return 0;
  },
});
const list = userAction({
  name: "list",
  description: "Print the names of all users, one per line",
  args: { pwdfile: file },
  example: "list -f /etc/tabpy/passwords",
  run: async (args) => {
    for (const { name } of (await readPasswordFile(String(args.pwdfile))).values()) print(name);
    return 0;
  },
});
const verify = userAction({
  name: "verify",
  description: "Check the password of a user; exit code 1 when it is wrong",
  args: { username, password, pwdfile: file, "password-stdin": passwordStdin },
  example: "verify -u alice -f /etc/tabpy/passwords",
  run: async (args, hashing) => {
    const name = String(args.username).toLowerCase();
    const users = await readPasswordFile(String(args.pwdfile));
    const given = await passwordToVerify(args);
    const found: User | undefined = users.get(name);
    const matches = found !== undefined && (await hashing.verify(found.hash, name, given));
    const fault =
      found === undefined
        ? `There is no username "${name}"`
        : `The password is not that of username "${name}"`;
    print(matches ? `The password is that of username "${name}"` : fault);
    return matches ? 0 : 1;
  },
});
const actions = { add, update, delete: remove, list, verify };

export const userCommand: CliCommand = {
  meta: { name: "tabpy-user", description: "Manage the users of a passwords file" },
  args: {},
  subCommands: actions,
  examples: `EXAMPLE

${Object.values(actions)
  .map(({ examples }) => examples.replace(/^EXAMPLE\n\n/, ""))
  .join("\n")}

A running server reads a changed file without a restart.`,
  run: () => {
    throw new TabPyError("usage", `Missing command: expected one of ${Object.keys(actions).join(", ")}`);
  },
};

interface UserAction {
  readonly name: string;
  readonly description: string;
  readonly args: ArgsDef;
  readonly example: string;
  readonly run: (args: GivenArgs, hashing: Hashing) => Promise<number>;
}

function userAction({ name, description, args, example, run }: UserAction): CliCommand {
  return {
    meta: { name, description },
    args,
    examples: `EXAMPLE\n\n  tabpy-user ${example}`,
    run: async ({ args: given }) => {
      const bcrypt = new Bcrypt();
      try {
        return await run(given, createHashing(bcrypt));
      } finally {
        await bcrypt.stop();
      }
    },
  };
}

async function change(args: GivenArgs, hashing: Hashing, act: typeof addUser): Promise<number> {
  const given = await givenPassword(args);
  await noteReaders(args, () =>
    act({
      file: String(args.pwdfile),
      name: String(args.username),
      password: given,
      scheme: schemes.find((known) => known === args.scheme),
      hashing,
      print,
    }),
  );
  return 0;
}

/** Prints a note when others could read the file before: a server that runs as another user no longer can. */
async function noteReaders(args: GivenArgs, act: () => Promise<void>): Promise<void> {
  const path = String(args.pwdfile);
  const before = await stat(path).catch(() => undefined);
  await act();
  if (process.platform === "win32" || before === undefined || (before.mode & 0o077) === 0) return;
  if (((await stat(path)).mode & 0o077) !== 0) return; // nothing was changed
  const mode = (before.mode & 0o777).toString(8);
  process.stderr.write(
    `Note: "${path}" had mode ${mode} and has 600 now: only its owner can read it, so the server must run as that user\n`,
  );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
