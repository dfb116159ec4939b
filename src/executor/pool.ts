// The pool: keeps a number of workers ready, gives them the calls, and replaces every worker that is
// lost, used up or too large. worker.ts is one worker; worker-starts.ts chooses the Python and pauses after failed
// starts; call-queue.ts is the order in which calls wait, and worker-choice.ts finds the worker of a call.

import { within } from "../lifecycle.ts";
import type { Logger } from "../logging/logger.ts";
import type { Model } from "../model.ts";
import { PendingCall, unavailable } from "./call.ts";
import { CallQueue } from "./call-queue.ts";
import { InnerCalls, maxDepth } from "./inner-calls.ts";
import { ModuleWatch } from "./module-watch.ts";
import type { PoolOptions } from "./pool-options.ts";
import type { Execute } from "./executor.ts";
import { type Command, unsuitable } from "./process/interpreter.ts";
import { watchMemory } from "./process/memory-limit.ts";
import { watchStopped } from "./process/stopped.ts";
import { Renewal } from "./renewal.ts";
import { Worker } from "./worker.ts";
import { WorkerChoice } from "./worker-choice.ts";
import type { WorkerEvent } from "./worker-options.ts";
import { WorkerStarts } from "./worker-starts.ts";

/** How long workers may take to end when the pool stops. */
const stopTimeoutMs = 5000;
const stopping = "The server is stopping";

export class Pool {
  /** Resolves when the first worker is ready; rejects (TabPyError `config`) when no interpreter is suitable. */
  readonly interpreterFound: Promise<void>;

  readonly #options: PoolOptions;
  readonly #log: Logger;
  /** What scripts print. */
  readonly #outputLog: Logger;
  readonly #starts: WorkerStarts;
  readonly #queue: CallQueue;
  readonly #choice: WorkerChoice;
  readonly #innerCalls: InnerCalls;
  readonly #modules: ModuleWatch;
  readonly #renewal: Renewal;
  /** Workers that have imported modules of no installed package. */
  readonly #withOwnModules = new WeakSet<Worker>();
  /** Workers that have lost their place and end after their calls. */
  readonly #retired = new Set<Worker>();
  /** Every worker whose process runs, also those of trial loads and those that are ending. */
  readonly #alive = new Set<Worker>();
  #isStopping = false;
  /** Functions that end the watching of workers. */
  readonly #watches: (() => void)[] = [];

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#outputLog = options.log.for("script.py");
    this.#starts = new WorkerStarts(options);
    this.interpreterFound = this.#starts.interpreterFound;
    this.#queue = new CallQueue(options.queueSize, options.queueTimeoutMs);
    this.#choice = new WorkerChoice(options, this.#queue);
    const startWorker = () => this.startExtra();
    this.#innerCalls = new InnerCalls({
      workers: () => this.#alive,
      startWorker,
      queue: this.#queue,
      maxWorkers: options.size * maxDepth,
      log: options.log,
    });
    const exchange = (old: Worker, fresh: Worker) => this.#exchange(old, fresh);
    this.#renewal = new Renewal({ startWorker, exchange, log: options.log });
    this.#modules = new ModuleWatch((path) => this.renew(`"${path}" has changed`));
  }

  /** Start the first worker without waiting for it. Calls are accepted at once and wait for it. */
  async start(): Promise<void> {
    this.#startWorker();
    const alive = () => this.#alive;
    this.#watches.push(watchStopped(alive, (worker, reason) => worker.kill(reason)));
    if (this.#options.reloadModules) this.#watches.push(this.#modules.start());
    const limitBytes = this.#options.workerMemoryBytes;
    if (limitBytes > 0)
      this.#watches.push(watchMemory(alive, limitBytes, (worker, bytes) => this.#endTooLarge(worker, bytes)));
  }

  /** End all workers. Calls that run are lost, waiting ones are refused. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const stopWatching of this.#watches) stopWatching();
    this.#starts.stop();
    this.#renewal.stop();
    this.#innerCalls.stop();
    this.#queue.refuseAll(() => unavailable(stopping, "", 1));
    for (const worker of this.#alive) {
      const isIdle = this.#choice.workers.has(worker) && worker.isReady && !worker.isBusy;
      this.#choice.remove(worker);
      if (isIdle) worker.stop();
      else worker.kill("the server is stopping");
    }
    this.#queue.refuseAll(() => unavailable(stopping, "", 1)); // the calls that workers returned
    await within(Promise.all([...this.#alive].map((worker) => worker.ended)), stopTimeoutMs, "").catch(
      () => {},
    );
  }

  /** Run a call in the next free worker. Throws TabPyError `unavailable` when none can take it in time. */
  readonly execute: Execute = (call) => {
    const pending = new PendingCall(call);
    if (pending.isEnded) return pending.reply;
    const worker = this.#choice.takeFor(pending);
    if (worker !== undefined) worker.send(pending);
    else if (this.#isStopping) pending.refuse(unavailable(stopping, "", 1));
    else if (this.#starts.isPausing && this.#choice.workers.size === 0)
      pending.refuse(this.#starts.noPython());
    else {
      this.#queue.add(pending);
      this.#innerCalls.consider(pending);
    }
    return pending.reply;
  };

  /** Replace all workers in turn, because code that they have imported may have changed. */
  renew(reason: string): void {
    this.#modules.clear();
    this.#renewal.request(this.#choice.workers, reason);
  }

  /** The same for those that have imported modules which may belong to a function that was deployed. */
  renewForDeployment({ name }: Model): void {
    const workers = [...this.#choice.workers].filter((worker) => this.#withOwnModules.has(worker));
    this.#renewal.request(workers, `"${name}" was deployed`);
  }

  /**
   * Start a worker that takes none of the pool's calls, once it is known which Python runs. The caller ends it.
   *
   * @throws TabPyError `unavailable` when it doesn't start, `config` when there is no suitable Python.
   */
  async startExtra(): Promise<Worker> {
    await this.interpreterFound;
    const { command } = this.#starts;
    if (command === undefined || this.#isStopping) throw unavailable(stopping, "", 1);
    const worker = this.#spawn(command);
    await worker.start();
    return worker;
  }

  /** Everything that the pool does when something happens to a worker. */
  #onEvent(worker: Worker, event: WorkerEvent): void {
    switch (event.kind) {
      case "free":
        this.#serve(worker);
        this.#serveIdle();
        break;
      case "returned":
        this.#queue.giveBack(event.calls);
        for (const pending of event.calls) this.#innerCalls.consider(pending);
        this.#serveIdle();
        break;
      case "lost":
        this.#replaceLost(worker, event.reason);
        break;
      case "imported":
        if (event.isOwn) this.#withOwnModules.add(worker);
        if (this.#options.reloadModules) this.#modules.add(event.paths);
        break;
      case "printed":
        this.#logOutput(event.callId, event.line);
        break;
      default:
        event satisfies never;
    }
  }

  /** Send a worker what it can take, or replace it when it is used up. */
  #serve(worker: Worker): void {
    const { workers } = this.#choice;
    if (!workers.has(worker)) {
      if (!worker.isBusy && this.#retired.delete(worker)) worker.stop();
      return;
    }
    for (let share = Math.ceil(this.#queue.size / workers.size); ; share--) {
      if (share <= 0 && worker.isBusy) return;
      if (this.#choice.isUsedUp(worker)) {
        if (!worker.isBusy) this.#replace(worker, `it has taken ${worker.callCount} calls`);
        return;
      }
      const pending = this.#choice.nextFor(worker);
      if (pending === undefined) break;
      worker.send(pending);
    }
    if (!worker.isBusy) this.#choice.addIdle(worker);
  }

  #serveIdle(): void {
    if (this.#isStopping) return;
    const next = () => this.#choice.takeIdleForNext();
    for (let worker = next(); worker !== undefined; worker = next()) this.#serve(worker);
  }

  #replaceLost(worker: Worker, reason: string): void {
    if (!this.#choice.workers.has(worker)) return;
    this.#log.warning(`Worker ${worker.pid} is lost and replaced: ${reason}`);
    this.#choice.remove(worker);
    this.#fill();
    this.#serveIdle();
  }

  /** Shows the call's id in every line: without it, a script's output is of little use. */
  #logOutput(callId: string | undefined, line: string): void {
    (callId === undefined ? this.#outputLog : this.#outputLog.inCall(callId, true)).info(line);
  }

  /** Replace an idle worker. */
  #replace(worker: Worker, reason: string): void {
    this.#log.info(`Worker ${worker.pid} is replaced: ${reason}`);
    this.#choice.remove(worker);
    worker.stop();
    this.#fill();
  }

  /** Give the place of a worker to another one; it ends after the calls that it was sent. */
  #exchange(old: Worker, fresh: Worker): boolean {
    if (this.#isStopping || !this.#choice.workers.has(old)) return false;
    this.#choice.remove(old);
    if (old.isBusy) this.#retired.add(old);
    else old.stop();
    this.#choice.workers.add(fresh);
    this.#serve(fresh);
    return true;
  }

  #endTooLarge(worker: Worker, bytes: number): void {
    const reason = `its memory of ${Math.round(bytes / 1024 / 1024)} MB exceeded TABPY_WORKER_MEMORY_MB`;
    if (this.#choice.isIdle(worker)) this.#replace(worker, reason);
    else worker.kill(reason);
  }

  /** Start workers until there are enough; only one while it isn't known yet which Python is suitable. */
  #fill(): void {
    if (this.#starts.isPausing) return;
    while (!this.#isStopping && this.#choice.workers.size < this.#options.size) {
      if (!this.#starts.isChosen && this.#choice.workers.size > 0) return;
      if (!this.#startWorker()) return;
    }
  }

  #startWorker(): boolean {
    const { command } = this.#starts;
    if (command === undefined) return false;
    const worker = this.#spawn(command);
    this.#choice.workers.add(worker);
    worker.start().then(
      () => this.#started(worker, command),
      (error: unknown) => this.#startFailed(worker, command, error),
    );
    return true;
  }

  #spawn(command: Command): Worker {
    const { spawn, functions, memory, workerModels, workerMemoryBytes, url } = this.#options;
    const worker = new Worker({
      spawn: () => spawn(command),
      // Kept memory must not count against a limit.
      settings: { orjson: true, keepMemory: workerMemoryBytes === 0, models: workerModels, url },
      functions,
      memory,
      refuse: (hello) => unsuitable(command, hello),
      onEvent: (from, event) => this.#onEvent(from, event),
    });
    this.#alive.add(worker);
    worker.ended.then(() => {
      this.#alive.delete(worker);
      this.#retired.delete(worker);
    });
    return worker;
  }

  #started(worker: Worker, command: Command): void {
    if (this.#isStopping) return;
    this.#starts.succeeded(command);
    this.#serve(worker);
    this.#fill();
  }

  #startFailed(worker: Worker, command: Command, error: unknown): void {
    this.#choice.remove(worker);
    if (this.#isStopping) return;
    switch (this.#starts.failed(command, error, () => this.#fill())) {
      case "fill":
        this.#fill();
        break;
      case "pause":
        if (this.#choice.workers.size === 0) this.#queue.refuseAll(() => this.#starts.noPython());
        break;
      case "stop":
        this.#isStopping = true;
        break;
    }
  }
}
