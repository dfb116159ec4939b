// Which of the interpreters that were found runs the scripts: the first suitable one, from its first worker on.

import { errorText, TabPyError } from "../../errors.ts";
import { type Command, commandText, noSuitablePython } from "./interpreter.ts";

export class InterpreterChoice {
  /** Resolves when a worker of the chosen one is ready; rejects (TabPyError `config`) when none is suitable. */
  readonly found: Promise<void>;

  readonly #found = Promise.withResolvers<void>();
  readonly #refusals: string[] = [];
  #commands: readonly Command[];
  #isMade = false;

  /** @param commands to try, in order. */
  constructor(commands: readonly Command[]) {
    this.#commands = commands;
    this.found = this.#found.promise;
    this.found.catch(() => {}); // main.ts awaits it later
  }

  /** The chosen interpreter, or the next one to try; undefined when none is left. */
  get command(): Command | undefined {
    return this.#commands[0];
  }

  get isMade(): boolean {
    return this.#isMade;
  }

  /** A worker of `command` is ready. */
  make(): void {
    this.#isMade = true;
    this.#found.resolve();
  }

  /** `command` didn't start a worker. Returns whether it was passed over, in favour of the next one if any. */
  passOver(command: Command, error: unknown): boolean {
    const isRefused = error instanceof TabPyError && error.code === "config";
    if (this.#isMade || (!isRefused && this.#commands.length === 1)) return false;
    this.#refusals.push(
      isRefused ? error.message : `${commandText(command)} doesn't start: ${errorText(error)}`,
    );
    this.#commands = this.#commands.slice(1);
    if (this.#commands.length === 0) this.#found.reject(noSuitablePython(this.#refusals));
    return true;
  }
}
