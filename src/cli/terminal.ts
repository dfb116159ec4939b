// Asks questions at the terminal, using the key decoder of node:readline. The prompt libraries (read,
// @inquirer/password, @clack/prompts) wait forever after Ctrl-D, and lose the answer to a second question when it is
// typed before the question appears; readline's own line editing has no backspace where TERM is "dumb".

import { on } from "node:events";
import { emitKeypressEvents } from "node:readline";
import { TabPyError } from "../errors.ts";

interface Key {
  readonly sequence: string;
  readonly name?: string;
  readonly ctrl: boolean;
  readonly meta: boolean;
}

/** The next key; rejects on Ctrl-C, on Ctrl-D unless text `isTyped` already, and when the terminal is closed. */
type NextKey = (isTyped: boolean) => Promise<Key>;

export interface Questions {
  /** Resolves with the line that is typed. */
  ask(question: string): Promise<string>;
  /** As `ask`, without showing what is typed. */
  askHidden(question: string): Promise<string>;
  /** Resolves with whether y is typed; n, Enter and Escape mean no, other keys are ignored. */
  confirm(question: string): Promise<boolean>;
}

/**
 * Run a dialogue at the terminal on standard input. Only `ask` shows what is typed. Ctrl-C, Ctrl-D and a closed
 * terminal reject with TabPyError `config` and the message `cancelled`.
 */
export async function atTerminal<T>(
  cancelled: string,
  dialogue: (questions: Questions) => Promise<T>,
): Promise<T> {
  const { stdin, stdout, stderr } = process;
  emitKeypressEvents(stdin);
  const keys = on(stdin, "keypress", { close: ["end"] }); // buffers keys that are typed ahead
  const nextKey: NextKey = async (isTyped) => {
    const { value, done } = await keys.next();
    const key: Key | undefined = done === true ? undefined : value[1];
    if (key === undefined || (key.ctrl && (key.name === "c" || (key.name === "d" && !isTyped))))
      throw new TabPyError("config", cancelled);
    return key;
  };
  const showing = async <A>(output: NodeJS.WriteStream, question: string, answer: () => Promise<A>) => {
    output.write(question);
    return answer().finally(() => output.write("\n"));
  };
  stdin.setRawMode(true);
  try {
    return await dialogue({
      // On standard error, because standard output may be a file.
      ask: (question) => showing(stderr, question, () => readLine(nextKey, (text) => stderr.write(text))),
      askHidden: (question) => showing(stderr, question, () => readLine(nextKey, () => {})),
      confirm: (question) => showing(stdout, `${question} (y/N) `, () => readYes(nextKey)),
    });
  } finally {
    await keys.return?.();
    stdin.setRawMode(false);
    stdin.pause();
  }
}

async function readLine(nextKey: NextKey, echo: (text: string) => void): Promise<string> {
  const typed: string[] = [];
  for (;;) {
    const key = await nextKey(typed.length > 0);
    if (isEnter(key)) return typed.join("");
    const isEraseLine = key.ctrl && key.name === "u";
    if (isEraseLine || key.name === "backspace") {
      const erased = typed.splice(isEraseLine ? 0 : -1);
      echo("\b \b".repeat(erased.length));
    } else if (!key.ctrl && !key.meta && [...key.sequence].length === 1) {
      typed.push(key.sequence);
      echo(key.sequence);
    }
  }
}

async function readYes(nextKey: NextKey): Promise<boolean> {
  for (;;) {
    const key = await nextKey(false);
    if (/^y$/i.test(key.sequence)) return true;
    if (/^n$/i.test(key.sequence) || isEnter(key) || key.name === "escape") return false;
  }
}

function isEnter({ name }: Key): boolean {
  return name === "return" || name === "enter";
}
