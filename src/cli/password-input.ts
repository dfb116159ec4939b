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
  return given?.text ?? unseen((ask) => ask("Password: "));
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

function askTwice(): Promise<string> {
  return unseen(async (ask) => {
    const first = await ask("New password: ");
    if ((await ask("The same again: ")) === first) return first;
    throw new TabPyError("config", "Cannot use the password: expected the same one twice, got two");
  });
}

/** Runs `dialogue` at a terminal that shows nothing of what is typed, not even what is typed ahead of a question. */
async function unseen(
  dialogue: (ask: (question: string) => Promise<string>) => Promise<string>,
): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) {
    throw new TabPyError(
      "usage",
      "Cannot ask for the password: standard input is no terminal; expected --password-stdin there",
    );
  }
  stdin.setRawMode(true);
  let ahead: string[] = []; // what was typed before it was asked for
  try {
    return await dialogue(async (question) => {
      stderr.write(question); // standard output may go to a file
      try {
        const typed = createLine();
        for (;;) {
          const char = ahead.shift();
          if (char === undefined) ahead = [...(await nextChunk(stdin))];
          else if (typed.take(char)) return typed.text();
        }
      } finally {
        stderr.write("\r\n");
      }
    });
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
  }
}

/** A line as it is typed; `take` says whether a character ended it. */
function createLine() {
  let typed: string[] = [];
  return {
    text: () => typed.join(""),
    take(char: string): boolean {
      if (char === "\r" || char === "\n") return true;
      if (char === keys.interrupt || (char === keys.endOfInput && typed.length === 0)) throw brokenOff();
      if (char === keys.backspace || char === keys.delete) typed.pop();
      else if (char === keys.eraseLine) typed = [];
      else typed.push(char);
      return false;
    },
  };
}

function nextChunk(stdin: NodeJS.ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer) => settle(() => resolve(chunk.toString("utf8")));
    const onEnd = () => settle(() => reject(brokenOff()));
    const settle = (act: () => void) => {
      stdin.off("data", onData);
      stdin.off("end", onEnd);
      stdin.pause();
      act();
    };
    stdin.on("data", onData);
    stdin.on("end", onEnd);
    stdin.resume();
  });
}

function brokenOff(): TabPyError {
  return new TabPyError("config", "Nothing was changed: no password was given");
}
