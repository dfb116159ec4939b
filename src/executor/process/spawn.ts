// How a worker process is made: the user's Python with the boot program, in a session of its own, three pipes.
// Nothing else knows that it is a local process.

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { errorText } from "../../errors.ts";
import type { Command } from "./interpreter.ts";
import { bootProgram } from "../../programs/sources.ts";
import { endMarked, forceEnd, requestEnd } from "./terminate.ts";

/** A process that speaks frames (frames.ts). */
export interface WorkerProcess {
  /** Frames to the worker. */
  readonly input: Writable;
  /** Frames from the worker. */
  readonly output: Readable;
  /** What scripts print, and what Python says when it can't start. */
  readonly log: Readable;
  /** Resolves when the process and what it started is gone, with how it ended, for people. */
  readonly ended: Promise<string>;
  /** Ask the idle worker to end; it is ended when it takes too long. */
  end(workerPid: number | undefined): void;
  /** End the process and everything that it started, now. `workerPid` is the one that its `ready` named. */
  kill(workerPid: number | undefined): void;
}

export type SpawnWorker = () => WorkerProcess;

/** All that a list of processes shows of the program: it reads the rest, up to its size, from the channel. */
const door = "import os; exec(os.read(0, 16384)) # a worker of the TabPy server";

/** How long a keeper may take to end what its worker started, before it is ended itself. */
const keeperPatienceMs = 3000;

/** Spawn `command` as a worker with the environment `env`. Failure to start shows as an immediate end. */
export function spawnWorker(command: Command, env: NodeJS.ProcessEnv): WorkerProcess {
  const mark = `_TABPY_WORKER=${randomUUID()}`;
  const child = spawn(command.file, [...command.args, "-c", door], {
    env: { ...env, _TABPY_WORKER: mark.slice("_TABPY_WORKER=".length) },
    stdio: ["pipe", "pipe", "pipe"],
    detached: process.platform !== "win32", // a session of its own: Ctrl-C at the terminal is for the server
    windowsHide: true,
  });
  child.stdin.write(bootProgram);
  let forceTimer: NodeJS.Timeout | undefined;
  let knownPid: number | undefined;
  let isKilled = false;
  const ended = untilEnded(child).then(async (how) => {
    clearTimeout(forceTimer);
    // A keeper that was killed could not clean up: what is left of its worker goes here.
    if (knownPid !== undefined) forceEnd(undefined, knownPid);
    if (child.signalCode === "SIGKILL") await endMarked(mark);
    return how;
  });
  const forceLater = (workerPid: number | undefined) => {
    knownPid = workerPid;
    forceTimer ??= setTimeout(() => forceEnd(child, workerPid), keeperPatienceMs);
  };
  return {
    input: child.stdin,
    output: child.stdout,
    log: child.stderr,
    ended,
    end(workerPid) {
      forceLater(workerPid);
      child.stdin.end();
    },
    kill(workerPid) {
      if (isKilled || child.exitCode !== null || child.signalCode !== null) return;
      isKilled = true;
      forceLater(workerPid);
      requestEnd(child);
    },
  };
}

function untilEnded(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on("error", (error) => resolve(errorText(error)));
    child.on("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
}
