// The starts of a pool's workers: with which Python, and after how long a pause when one has failed. Every failure takes
// the same road, whether the process could not be spawned, ended, or was not ready in time: it is counted, and logged
// with its cause when a pause follows. pool.ts starts the workers.

import { errorText, type TabPyError } from "../errors.ts";
import type { Logger } from "../logging/logger.ts";
import { Backoff } from "./backoff.ts";
import { unavailable } from "./call.ts";
import { type Command, commandText } from "./process/interpreter.ts";
import { InterpreterChoice } from "./process/interpreter-choice.ts";

/** What the pool does after a failed start. */
export type AfterFailure =
  /** Fill the pool at once: another Python is tried, or the failure was a single one. */
  | "fill"
  /** Wait: the pool is filled after the pause. */
  | "pause"
  /** Stop: no Python is left. */
  | "stop";

export interface WorkerStartsOptions {
  /** Interpreters to try, in order. */
  readonly commands: readonly Command[];
  /** Workers of the pool. */
  readonly size: number;
  readonly log: Logger;
}

export class WorkerStarts {
  /** Resolves when the first worker is ready; rejects (TabPyError `config`) when no interpreter is suitable. */
  readonly interpreterFound: Promise<void>;

  readonly #options: WorkerStartsOptions;
  readonly #interpreter: InterpreterChoice;
  readonly #backoff = new Backoff();
  /** Failed starts that were tried again at once, since the last worker that was ready. */
  #retried = 0;

  constructor(options: WorkerStartsOptions) {
    this.#options = options;
    this.#interpreter = new InterpreterChoice(options.commands);
    this.interpreterFound = this.#interpreter.found;
  }

  /** The Python to start; undefined when none is left. */
  get command(): Command | undefined {
    return this.#interpreter.command;
  }

  /** Whether a worker was ready, so that it is known which Python runs. */
  get isChosen(): boolean {
    return this.#interpreter.isMade;
  }

  /** Whether the server waits before it starts the next worker. */
  get isPausing(): boolean {
    return this.#backoff.isPausing;
  }

  /** A worker of `command` is ready. */
  succeeded(command: Command): void {
    const { log, size } = this.#options;
    if (!this.isChosen) log.info(`Scripts run in ${commandText(command)}, ${size} workers`);
    this.#interpreter.make();
    this.#backoff.reset();
    this.#retried = 0;
  }

  /** A worker of `command` was not ready because of `error`. Calls `fill` after the pause, if there is one. */
  failed(command: Command, error: unknown, fill: () => void): AfterFailure {
    if (this.#interpreter.passOver(command, error)) return this.command === undefined ? "stop" : "fill";
    if (this.isPausing) return "pause";
    const failure = `Cannot start a worker with ${commandText(command)}: ${errorText(error)}`;
    // Something may have killed workers while they started: a pool that has run scripts does not pause for that.
    if (this.isChosen && this.#retried < this.#options.size) {
      this.#retried++;
      this.#options.log.warning(`${failure}; it is tried again at once`);
      return "fill";
    }
    const pauseMs = this.#backoff.pause(fill);
    this.#options.log.error(`${failure}; next try in ${pauseMs / 1000} s`);
    return "pause";
  }

  /** The error of a call that finds no worker during a pause. */
  noPython(): TabPyError {
    const info = "the server's log tells why; the server will try again";
    return unavailable("Python cannot be started", info, this.#backoff.seconds);
  }

  stop(): void {
    this.#backoff.stop();
  }
}
