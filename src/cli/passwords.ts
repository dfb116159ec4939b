// Gets passwords and user names: from an argument, from standard input, or from a question at the terminal.

import { TabPyError } from "../errors.ts";
import type { GivenArgs } from "./run.ts";
import { atTerminal } from "./terminal.ts";

/** `isShown`: it was given as an argument, so the process list has shown it already. */
export interface GivenPassword {
  readonly text: string;
  readonly isShown: boolean;
}

export interface GivenCredentials {
  readonly name: string;
  readonly password: string;
}

const maxInputChars = 64 * 1024;
const noPassword = "Nothing was changed: no password was given";

/** The password that the options give; undefined when they give none. Throws TabPyError `usage` when they give two. */
export async function givenPassword(args: GivenArgs): Promise<GivenPassword | undefined> {
  const ways = [args.password !== undefined, args["password-stdin"] === true, args.prompt === true];
  if (ways.filter(Boolean).length > 1) {
    throw new TabPyError(
      "usage",
      "Cannot take two passwords: expected one of --password, --password-stdin, --prompt",
    );
  }
  if (typeof args.password === "string") return { text: args.password, isShown: true };
  if (args["password-stdin"] === true) return { text: await readPassword(), isShown: false };
  if (args.prompt === true) return { text: await askNewPassword(), isShown: false };
  return undefined;
}

/** The password to verify: as the options give it, or asked for. */
export async function passwordToVerify(args: GivenArgs): Promise<string> {
  const given = await givenPassword({ ...args, prompt: undefined });
  if (given !== undefined) return given.text;
  checkTerminal();
  return atTerminal(noPassword, ({ askHidden }) => askHidden("Password: "));
}

/**
 * A user name and a password, asked for at the terminal or read as two lines from standard input. Never from arguments,
 * which every user of the machine can see.
 *
 * @throws TabPyError `usage` when they are missing or malformed.
 */
export async function askCredentials(): Promise<GivenCredentials> {
  const given = process.stdin.isTTY
    ? await atTerminal("Cancelled: no credentials", async ({ ask, askHidden }) => ({
        name: await ask("User name: "),
        password: await askHidden("Password: "),
      }))
    : await readCredentials();
  const wanted = "expected a user name without a colon, and a password";
  if (given.name === "" || given.name.includes(":") || given.password === "")
    throw new TabPyError("usage", `Cannot use these credentials: ${wanted}`);
  return given;
}

function askNewPassword(): Promise<string> {
  checkTerminal();
  return atTerminal(noPassword, async ({ askHidden }) => {
    const first = await askHidden("New password: ");
    if ((await askHidden("The same again: ")) === first) return first;
    throw new TabPyError("config", "Cannot use the password: expected the same one twice, but they differ");
  });
}

function checkTerminal(): void {
  if (process.stdin.isTTY) return;
  throw new TabPyError(
    "usage",
    "Cannot ask for the password: standard input is not a terminal; expected --password-stdin",
  );
}

async function readPassword(): Promise<string> {
  const text = await readInput();
  const password = text.replace(/\r?\n$/, "");
  if (text.length > maxInputChars || password.includes("\n"))
    throw new TabPyError("config", "Cannot read the password: expected one line on standard input");
  return password;
}

async function readCredentials(): Promise<GivenCredentials> {
  const [name, password] = (await readInput()).split(/\r?\n/);
  if (name === undefined || password === undefined) {
    throw new TabPyError(
      "usage",
      "Cannot read the credentials from standard input: expected a line with the user name and one with the password",
    );
  }
  return { name, password };
}

/** Standard input, up to a little more than `maxInputChars`. */
async function readInput(): Promise<string> {
  let text = "";
  process.stdin.setEncoding("utf8");
  for await (const chunk of process.stdin) {
    text += chunk;
    if (text.length > maxInputChars) break;
  }
  return text;
}
