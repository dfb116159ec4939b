// Spawns a worker process: the user's Python with the boot program, in a session of its own, with three pipes.
// Nothing else knows that a worker is a local process.

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { Readable, Writable } from "node:stream";
import { errorText } from "../../errors.ts";
import type { Command } from "./interpreter.ts";
import { bootProgram } from "../../programs/sources.ts";
import { endMarked, forceEnd, requestEnd } from "./terminate.ts";

/** A process with a channel (channel/frames.ts) and a log pipe. */
export interface WorkerProcess {
  /** Id of the process that was spawned: the reaper. */
  readonly pid: number | undefined;
  /** Frames to the worker. */
  readonly input: Writable;
  /** Frames from the worker. */
  readonly output: Readable;
  /** What scripts print, and what Python prints when it can't start. */
  readonly log: Readable;
  /** Resolves when the process and everything that it started is gone, with a description of how it ended. */
  readonly ended: Promise<string>;
  /** Ask the idle worker to exit; it is killed when that takes too long. */
  end(workerPid: number | undefined): void;
  /** Kill the process and everything that it started. `workerPid`: from its `ready`. */
  kill(workerPid: number | undefined): void;
}

export type SpawnWorker = () => WorkerProcess;

/** The part of the program that a process list shows; it reads boot.py, up to 16 KiB, from the channel. */
const bootstrap = "import os; exec(os.read(0, 16384)) # a worker of the TabPy server";

/** How long a reaper may take to kill what its worker has started, before it is killed itself. */
const reaperTimeoutMs = 3000;

/** A child whose three pipes exist. */
type Child = ChildProcess & {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
};

/** Spawn `command` as a worker with the environment `env`. A failure to start shows as an immediate end. */
export function spawnWorker(command: Command, env: NodeJS.ProcessEnv): WorkerProcess {
  const mark = `_TABPY_WORKER=${randomUUID()}`;
  const child = spawnChild(command, env, mark);
  if (typeof child === "string") return endedProcess(child);
  if (!hasPipes(child)) return endedProcess(untilEnded(child)); // too many open files
  child.stdin.write(bootProgram);
  let forceTimer: NodeJS.Timeout | undefined;
  let knownPid: number | undefined;
  let isKilled = false;
  const ended = untilEnded(child).then(async (how) => {
    clearTimeout(forceTimer);
    // A reaper that was killed can't have killed what was left of its worker.
    if (knownPid !== undefined) forceEnd(undefined, knownPid);
    if (child.signalCode === "SIGKILL") await endMarked(mark);
    return how;
  });
  const forceLater = (workerPid: number | undefined) => {
    knownPid = workerPid;
    forceTimer ??= setTimeout(() => forceEnd(child, workerPid), reaperTimeoutMs);
  };
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid,
    input: child.stdin,
    output: child.stdout,
    log: child.stderr,
    ended,
    end(workerPid) {
      if (hasEnded()) return;
      forceLater(workerPid);
      child.stdin.end();
    },
    kill(workerPid) {
      if (isKilled || hasEnded()) return;
      isKilled = true;
      forceLater(workerPid);
      requestEnd(child);
    },
  };
}

/** The child, or why it can't be spawned: some errors are thrown, others are reported by an event. */
function spawnChild(command: Command, env: NodeJS.ProcessEnv, mark: string): ChildProcess | string {
  try {
    return spawn(command.file, [...command.args, "-c", bootstrap], {
      env: { ...env, _TABPY_WORKER: mark.slice("_TABPY_WORKER=".length) },
      stdio: ["pipe", "pipe", "pipe"],
      detached: process.platform !== "win32", // a session of its own: Ctrl-C at the terminal is meant for the server
      windowsHide: true,
    });
  } catch (error) {
    return errorText(error);
  }
}

function hasPipes(child: ChildProcess): child is Child {
  return Boolean(child.stdin && child.stdout && child.stderr);
}

/** A process that could not be spawned, in the form of one that has ended. */
function endedProcess(how: string | Promise<string>): WorkerProcess {
  return {
    pid: undefined,
    input: new Writable({ write: (_chunk, _encoding, done) => done() }),
    output: Readable.from([]),
    log: Readable.from([]),
    ended: Promise.resolve(how),
    end: () => {},
    kill: () => {},
  };
}

function untilEnded(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on("error", (error) => resolve(errorText(error)));
    child.on("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
}
