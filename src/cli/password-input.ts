// Where a password of tabpy-user comes from: an argument, standard input, a question at the terminal, or nowhere.

import { TabPyError } from "../errors.ts";

/** `isShown`: it came by argument, where the list of processes shows it anyway. */
export interface GivenPassword {
  readonly text: string;
  readonly isShown: boolean;
}

const maxInputBytes = 64 * 1024;
const keys = { interrupt: "\x03", endOfInput: "\x04", backspace: "\x08", eraseLine: "\x15", delete: "\x7f" };

/** The password that the options give; undefined when they give none. Throws TabPyError `usage` for two at once. */
export async function givenPassword(
  args: Readonly<Record<string, unknown>>,
): Promise<GivenPassword | undefined> {
  const ways = [args.password !== undefined, args["password-stdin"] === true, args.prompt === true];
  if (ways.filter(Boolean).length > 1) {
    throw new TabPyError(
      "usage",
      "Cannot take two passwords: expected one of --password, --password-stdin, --prompt",
    );
  }
  if (typeof args.password === "string") return { text: args.password, isShown: true };
  if (args["password-stdin"] === true) return { text: await readStandardInput(), isShown: false };
  if (args.prompt === true) return { text: await askTwice(), isShown: false };
  return undefined;
}

/** The password to verify: as given, or asked for once. */
export async function passwordToVerify(args: Readonly<Record<string, unknown>>): Promise<string> {
  const given = await givenPassword({ ...args, prompt: undefined });
  return given?.text ?? (await ask("Password: "));
}

/** What is before the first line end. */
async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxInputBytes)
      throw new TabPyError("config", "Cannot read the password: expected one line on standard input");
  }
  const text = Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (text.includes("\n"))
    throw new TabPyError(
      "config",
      "Cannot read the password: expected one line on standard input, got several",
    );
  return text;
}

async function askTwice(): Promise<string> {
  const first = await ask("New password: ");
  if ((await ask("The same again: ")) === first) return first;
  throw new TabPyError("config", "Cannot use the password: expected the same one twice, got two");
}

/** Asks at the terminal and shows nothing of what is typed. */
async function ask(question: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) {
    throw new TabPyError(
      "usage",
      "Cannot ask for the password: standard input is no terminal; expected --password-stdin there",
    );
  }
  stderr.write(question); // standard output may go to a file
  stdin.setRawMode(true);
  try {
    return await readHiddenLine(stdin);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write("\n");
  }
}

function readHiddenLine(stdin: NodeJS.ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    const onData = (chunk: Buffer) => {
      for (const char of chunk.toString("utf8")) {
        if (char === "\r" || char === "\n") return end(() => resolve(typed.join("")));
        if (char === keys.interrupt || (char === keys.endOfInput && typed.length === 0))
          return end(() => reject(new TabPyError("config", "Nothing was changed: no password was given")));
        if (char === keys.backspace || char === keys.delete) typed.pop();
        else if (char === keys.eraseLine) typed = [];
        else typed.push(char);
      }
    };
    const onEnd = () =>
      end(() => reject(new TabPyError("config", "Nothing was changed: no password was given")));
    const end = (settle: () => void) => {
      stdin.off("data", onData);
      stdin.off("end", onEnd);
      settle();
    };
    stdin.on("data", onData);
    stdin.on("end", onEnd);
    stdin.resume();
  });
}
