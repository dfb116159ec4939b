// A user name and a password, asked for at a terminal, where the password isn't shown, or read from standard input.
// Never from arguments: every user of the machine sees those of every process.

import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import type { ReadStream } from "node:tty";
import { TabPyError } from "../errors.ts";

export interface GivenCredentials {
  readonly name: string;
  readonly password: string;
}

const maxChars = 64 * 1024;

/**
 * Ask at the terminal that `input` is, or read two lines from it.
 *
 * @throws TabPyError `usage` when there are none, or none that could be right.
 */
export async function askCredentials(input: ReadStream): Promise<GivenCredentials> {
  const given = input.isTTY ? await askAtTerminal(input) : await readLines(input);
  const wanted = "expected a user name without a colon, and a password";
  if (given.name === "" || given.name.includes(":") || given.password === "")
    throw new TabPyError("usage", `Cannot use these credentials: ${wanted}`);
  return given;
}

async function askAtTerminal(input: ReadStream): Promise<GivenCredentials> {
  let isShown = true;
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (isShown) process.stderr.write(chunk);
      done();
    },
  });
  const terminal = createInterface({ input, output, terminal: true });
  const ask = (question: string) =>
    new Promise<string>((resolve, reject) => {
      const refuse = () => reject(new TabPyError("config", "Cancelled: no credentials"));
      terminal.once("close", refuse);
      terminal.once("SIGINT", () => terminal.close());
      process.stderr.write(question);
      terminal.once("line", (line) => {
        terminal.off("close", refuse);
        resolve(line);
      });
    });
  try {
    const name = await ask("User name: ");
    isShown = false;
    const password = await ask("Password: ");
    process.stderr.write("\n");
    return { name, password };
  } finally {
    terminal.close();
  }
}

async function readLines(input: ReadStream): Promise<GivenCredentials> {
  let text = "";
  input.setEncoding("utf8");
  for await (const chunk of input) {
    text += chunk;
    if (text.length > maxChars) break;
  }
  const [name, password] = text.split(/\r?\n/);
  if (name === undefined || password === undefined) {
    throw new TabPyError(
      "usage",
      "Cannot read the credentials from standard input: expected a line with the user name and one with the password",
    );
  }
  return { name, password };
}
