// The pool: keeps a number of workers warm, gives each one call at a time in the order of arrival, and replaces
// every worker that is lost, used up or has grown too large. What a call does inside a worker is worker.ts's.

import { errorText, TabPyError } from "../errors.ts";
import type { Service } from "../lifecycle.ts";
import type { Logger } from "../logging/logger.ts";
import { CallQueue, unavailable } from "./call-queue.ts";
import { type Command, commandText, noSuitablePython, unsuitable } from "./process/interpreter.ts";
import { watchMemory } from "./process/memory-limit.ts";
import type { Call, Reply } from "./channel/messages.ts";
import type { Job } from "./in-flight.ts";
import type { SpawnWorker } from "./process/spawn.ts";
import { type EndpointLookup, Worker, type WorkerOptions } from "./worker.ts";

export interface PoolOptions {
  /** Interpreters to try, in order; the first suitable one is used from then on. */
  readonly commands: readonly Command[];
  readonly spawn: (command: Command) => ReturnType<SpawnWorker>;
  readonly useOrjson: boolean;
  /** Deployed functions that each worker keeps loaded. */
  readonly workerModels: number;
  readonly endpoints: EndpointLookup;
  /** Workers to keep. */
  readonly size: number;
  /** Calls that may wait for a worker. */
  readonly queueSize: number;
  readonly queueTimeoutMs: number;
  /** Calls after which a worker is replaced; 0 for never. */
  readonly workerMaxRequests: number;
  /** Resident bytes past which a worker is replaced, in the middle of its call too; 0 for never. */
  readonly workerMemoryBytes: number;
  readonly log: Logger;
}

const firstPauseMs = 250;
const longestPauseMs = 30_000;
/** How long stopped workers may take to be gone. */
const stopTimeoutMs = 5000;

export class Pool implements Service {
  readonly name = "workers";
  /** Resolves when the first worker is ready; rejects (TabPyError `config`) when no interpreter is suitable. */
  readonly interpreterFound: Promise<void>;

  readonly #options: PoolOptions;
  readonly #log: Logger;
  /** Of what scripts print, and of the functions that they become. */
  readonly #outputLog: Logger;
  readonly #evaluateLog: Logger;
  readonly #found = Promise.withResolvers<void>();
  /** Every worker that counts: starting, idle or busy. */
  readonly #workers = new Set<Worker>();
  readonly #starting = new Set<Worker>();
  readonly #idle: Worker[] = [];
  readonly #queue: CallQueue;
  readonly #ending = new Set<Promise<unknown>>();
  /** Workers that trial-load.ts uses, beside the others. */
  readonly #extra = new Set<Worker>();
  #commands: readonly Command[];
  #refusals: string[] = [];
  #isChosen = false;
  #failures = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #retryAt = 0;
  #isStopping = false;
  #stopWatching = () => {};

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#queue = new CallQueue(options.queueSize, options.queueTimeoutMs);
    this.#log = options.log;
    this.#outputLog = options.log.for("script.py");
    this.#evaluateLog = options.log.for("evaluate.ts");
    this.#commands = options.commands;
    this.interpreterFound = this.#found.promise;
    this.interpreterFound.catch(() => {}); // main.ts waits for it, at its own time
  }

  /** Begins to start workers; calls may come at once and wait for the first. */
  async start(): Promise<void> {
    this.#startWorker();
    const limit = this.#options.workerMemoryBytes;
    if (limit > 0)
      this.#stopWatching = watchMemory(
        () => [...this.#workers, ...this.#extra],
        limit,
        (worker, bytes) => this.#tooLarge(worker, bytes),
      );
  }

  /** Ends all workers. Calls that run or wait are answered as unavailable. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#stopWatching();
    clearTimeout(this.#retryTimer);
    this.#queue.rejectAll("The server is stopping", 1);
    for (const worker of this.#extra) worker.kill("the server is stopping");
    for (const worker of [...this.#workers]) {
      this.#forget(worker);
      if (worker.isBusy || worker.pid === undefined) worker.kill("the server is stopping");
      else worker.end();
    }
    this.#queue.rejectAll("The server is stopping", 1); // what the workers gave back
    const late = new Promise((resolve) => setTimeout(resolve, stopTimeoutMs).unref());
    await Promise.race([Promise.all(this.#ending), late]);
  }

  /** Run a call in the next free worker. Throws TabPyError `unavailable` when none can take it in time. */
  readonly execute = (call: Call): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const job = { call, resolve };
      if (call.signal.aborted) return resolve({ kind: "cancelled" });
      const worker = this.#quickWorker(call) ?? this.#takeIdle(call);
      if (worker !== undefined) {
        worker.take(job);
        return;
      }
      if (this.#isStopping) return reject(unavailable("The server is stopping", "", 1));
      if (this.#retryTimer !== undefined && this.#workers.size === 0) return reject(this.#noPython());
      this.#queue.add(job, reject);
    });

  /** A worker that is busy for so short a time that to wait for it takes less than to wake another one. */
  #quickWorker(call: Call): Worker | undefined {
    if (!this.#queue.isEmpty) return undefined;
    const limit = this.#options.workerMaxRequests;
    for (const worker of this.#workers) {
      if (worker.isQuickFor(call) && (limit === 0 || worker.callCount < limit)) return worker;
    }
    return undefined;
  }

  /** An idle worker, one that has loaded the function that the call is for if there is one. */
  #takeIdle({ what }: Call): Worker | undefined {
    if (what.kind !== "query" || what.model === undefined) return this.#idle.pop();
    const { model } = what;
    const at = this.#idle.findLastIndex((worker) => worker.hasModel(model));
    return at === -1 ? this.#idle.pop() : this.#idle.splice(at, 1)[0];
  }

  /** The next call in line if `worker` can take it; it has left the line then. */
  #nextFor(worker: Worker): Job | undefined {
    const { first, hasReturned } = this.#queue;
    if (first === undefined || !worker.canTake(first.call)) return undefined;
    // Behind a running call only what is more than the others' share: they may be free sooner.
    if (!hasReturned && worker.isBusy && this.#queue.size < this.#workers.size) return undefined;
    return this.#queue.shift();
  }

  /** A worker has answered: give it what it can take, or replace it when it is used up. */
  #serve(worker: Worker): void {
    if (!this.#workers.has(worker)) return;
    const limit = this.#options.workerMaxRequests;
    for (let share = Math.ceil(this.#queue.size / this.#workers.size); ; share--) {
      if (share <= 0 && worker.isBusy) return;
      if (limit > 0 && worker.callCount >= limit) {
        if (!worker.isBusy) this.#replace(worker, `it has taken ${worker.callCount} calls`);
        return;
      }
      const job = this.#nextFor(worker);
      if (job === undefined) break;
      worker.take(job);
    }
    if (!worker.isBusy && !this.#idle.includes(worker)) this.#idle.push(worker);
  }

  /** Calls that did not begin where they were sent. */
  #takeBack(jobs: readonly Job[]): void {
    this.#queue.giveBack(jobs);
    while (this.#queue.hasReturned) {
      const worker = this.#idle.pop();
      if (worker === undefined) return;
      this.#serve(worker);
    }
  }

  /** Take an idle worker out and end it in peace. */
  #replace(worker: Worker, reason: string): void {
    this.#log.info(`Worker ${worker.pid} is replaced: ${reason}`);
    this.#forget(worker);
    worker.end();
    this.#fill();
  }

  #tooLarge(worker: Worker, bytes: number): void {
    const megabytes = Math.round(bytes / 1024 / 1024);
    const reason = `its memory of ${megabytes} MB passed TABPY_WORKER_MEMORY_MB`;
    if (worker.isBusy || this.#extra.has(worker)) worker.kill(reason);
    else if (this.#idle.includes(worker)) this.#replace(worker, reason);
  }

  #lost(worker: Worker, reason: string): void {
    if (this.#starting.has(worker) || !this.#workers.has(worker)) return;
    this.#log.warning(`Worker ${worker.pid} is lost and replaced: ${reason}`);
    this.#forget(worker);
    this.#fill();
  }

  #forget(worker: Worker): void {
    this.#workers.delete(worker);
    const at = this.#idle.indexOf(worker);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  /** Start workers until there are enough; the first one alone, until it has shown which Python serves. */
  #fill(): void {
    if (this.#retryTimer !== undefined) return;
    while (!this.#isStopping && this.#workers.size < this.#options.size) {
      if (!this.#isChosen && this.#workers.size > 0) return;
      this.#startWorker();
    }
  }

  async #startWorker(): Promise<void> {
    const [command] = this.#commands;
    if (command === undefined) return;
    const worker = new Worker(this.#workerOptions(command));
    this.#workers.add(worker);
    this.#starting.add(worker);
    this.#watchEnd(worker);
    try {
      await worker.start();
      this.#starting.delete(worker);
      if (this.#isStopping) return;
      if (!this.#isChosen)
        this.#log.info(`Scripts run in ${commandText(command)}, ${this.#options.size} workers`);
      this.#isChosen = true;
      this.#failures = 0;
      this.#found.resolve();
      this.#serve(worker);
      this.#fill();
    } catch (error) {
      this.#starting.delete(worker);
      this.#forget(worker);
      if (!this.#isStopping) this.#startFailed(command, error);
    }
  }

  /**
   * Start a worker that takes no calls of the pool, once it is known which Python serves. Its user ends it.
   *
   * @throws TabPyError `unavailable` when it doesn't start, `config` when there is no suitable Python.
   */
  async startExtra(): Promise<Worker> {
    await this.interpreterFound;
    const [command] = this.#commands;
    if (command === undefined || this.#isStopping) throw unavailable("The server is stopping", "", 1);
    const worker = new Worker({ ...this.#workerOptions(command), onFree: () => {}, onLost: () => {} });
    this.#extra.add(worker);
    this.#watchEnd(worker);
    worker.ended.then(() => this.#extra.delete(worker));
    await worker.start();
    return worker;
  }

  /** `stop` waits for its end. */
  #watchEnd(worker: Worker): void {
    const ended: Promise<unknown> = worker.ended.then(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }

  #startFailed(command: Command, error: unknown): void {
    const isRefused = error instanceof TabPyError && error.code === "config";
    // Until one has served, a command that doesn't start gives way to the next one.
    if (!this.#isChosen && (isRefused || this.#commands.length > 1)) {
      this.#refusals.push(
        isRefused ? error.message : `${commandText(command)} doesn't start: ${errorText(error)}`,
      );
      this.#commands = this.#commands.slice(1);
      if (this.#commands.length > 0) {
        this.#fill();
      } else {
        this.#isStopping = true;
        this.#found.reject(noSuitablePython(this.#refusals));
      }
      return;
    }
    if (this.#retryTimer !== undefined) return;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#failures++);
    this.#log.error(
      `Cannot start a worker with ${commandText(command)}: ${errorText(error)}; next try in ${pauseMs / 1000} s`,
    );
    this.#retryAt = Date.now() + pauseMs;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      this.#fill();
    }, pauseMs);
    if (this.#workers.size === 0) this.#queue.rejectAll(this.#noPython().message, this.#retrySeconds());
  }

  #workerOptions(command: Command): WorkerOptions {
    return {
      spawn: () => this.#options.spawn(command),
      useOrjson: this.#options.useOrjson,
      // What is kept must not count against a limit.
      keepMemory: this.#options.workerMemoryBytes === 0,
      models: this.#options.workerModels,
      endpoints: this.#options.endpoints,
      refuse: (hello) => unsuitable(command, hello),
      onFunction: this.#evaluateLog.isEnabled("INFO")
        ? (callId, message) => inCall(this.#evaluateLog, callId).info(message)
        : undefined,
      onOutput: (callId, line) => inCall(this.#outputLog, callId, true).info(line),
      onFree: (worker) => this.#serve(worker),
      onReturned: (jobs) => this.#takeBack(jobs),
      onLost: (worker, reason) => this.#lost(worker, reason),
    };
  }

  #retrySeconds(): number {
    return Math.max(1, Math.ceil((this.#retryAt - Date.now()) / 1000));
  }

  #noPython(): TabPyError {
    return unavailable(
      "Python cannot be started",
      "the server's log says why; it is tried again",
      this.#retrySeconds(),
    );
  }
}

/** `isShown`: what a script prints is of no use without the request that it belongs to. */
function inCall(log: Logger, callId: string | undefined, isShown = false): Logger {
  return callId === undefined ? log : log.inCall(callId, isShown);
}
