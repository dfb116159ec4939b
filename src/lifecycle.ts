// Parts of the program that have a life: started in order, stopped in reverse. And the signals that end it.
// What the parts are is main.ts's affair.

import { closeSync, openSync } from "node:fs";
import { TabPyError } from "./errors.ts";

/** Something that owns processes, sockets or files. `stop` may be called twice and before `start` has ended. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Start services in order; when one fails, stop those that were started and throw its error. */
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

/** Stop services in reverse order. One that fails to stop doesn't keep the others; the first error is thrown. */
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
 * Resolves with the name of the first SIGINT or SIGTERM. A second one calls `force`, which shall end the program
 * without waiting for anything.
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

/**
 * Calls `reload` on SIGHUP. But when it came because the terminal was closed, which this program was started at, the
 * program is asked to stop.
 */
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

/** A function that runs tasks one after the other, in the order of its calls, also after one that has rejected. */
export function createChain(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(task: () => Promise<T>) => {
    const run = last.then(task, task);
    last = run;
    return run;
  };
}

/** `promise`, or a rejection with `message` after `timeoutMs`. */
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
