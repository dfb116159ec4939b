// Services, which main.ts starts in order and stops in reverse; the signals that stop the program; and two helpers for
// promises: one task after the other, and a time limit.

import { closeSync, openSync } from "node:fs";
import { TabPyError } from "./errors.ts";

/** Something that owns processes, sockets or files. `stop` may be called twice, and before `start` has resolved. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Start services in order; when one rejects, stop those before it and throw its error. */
export async function startAll(services: readonly Service[]): Promise<void> {
  const started: Service[] = [];
  for (const service of services) {
    started.push(service);
    try {
      await service.start();
    } catch (error) {
      await stopAll(started);
      throw error;
    }
  }
}

/** Stop services in reverse order, all of them even when one rejects; the first error is thrown. */
export async function stopAll(services: readonly Service[]): Promise<void> {
  const errors: unknown[] = [];
  for (const service of [...services].reverse()) {
    try {
      await service.stop();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

/**
 * Resolves with the name of the first SIGINT or SIGTERM. A second one calls `force`, which should exit at once.
 */
export function untilAskedToStop(force: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) force();
      asked = true;
      resolve(signal);
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  });
}

/** Signals that end a program which doesn't handle them, although nobody sends them to stop a server. */
const strayed = ["SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO"] as const;

/** Keeps the server running on signals that mean nothing to it. A process that it starts gets their default action. */
export function ignoreStrayed(): void {
  if (process.platform === "win32") return;
  for (const signal of strayed) process.on(signal, () => {});
}

/** Calls `reload` on SIGHUP; when the signal means that the controlling terminal was closed, raises SIGTERM instead. */
export function onHangup(reload: () => void): void {
  const isAtTerminal = process.stdin.isTTY === true || process.stdout.isTTY === true;
  process.on("SIGHUP", () => {
    if (isAtTerminal && !hasTerminal()) process.kill(process.pid, "SIGTERM");
    else reload();
  });
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/** A function that runs tasks one after the other, in the order of its calls, even after one has rejected. */
export function createChain(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(task: () => Promise<T>) => {
    const run = last.then(task, task);
    last = run;
    return run;
  };
}

/** `promise`, or a rejection with a TabPyError `timeout` and `message` after `timeoutMs`. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TabPyError("timeout", message)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
