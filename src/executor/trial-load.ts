// Loading archives to see whether they can be loaded: in processes beside the pool, so that neither needs the other.
// A pickle may do anything; it does it to its own process, for a limited time.

import { randomUUID } from "node:crypto";
import { errorText } from "../errors.ts";
import type { Model } from "../model.ts";
import type { Reply } from "./channel/messages.ts";
import type { Worker } from "./worker.ts";

export interface LoaderOptions {
  /** Starts a worker that nobody else uses. */
  readonly startWorker: () => Promise<Worker>;
  readonly timeoutMs: number;
}

/** How many new deployments may be loaded at one time. */
const maxOwnProcesses = 4;

export class Loader {
  readonly #options: LoaderOptions;
  readonly #waiting: (() => void)[] = [];
  #ownProcesses = 0;
  #shared: Worker | undefined;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Load an archive in a fresh process. Resolves with what went wrong, or undefined. */
  tryAlone(model: Model): Promise<string | undefined> {
    return this.#loadAlone(model).catch(errorText);
  }

  /**
   * The same in the process of the load before, for archives that have served before. Such loads must come one after
   * the other, and `end` is called after the last.
   */
  tryShared(model: Model): Promise<string | undefined> {
    return this.#loadShared(model).catch(errorText);
  }

  /** End the shared process. */
  end(): void {
    this.#shared?.end();
    this.#shared = undefined;
  }

  async #loadAlone(model: Model): Promise<string | undefined> {
    if (this.#ownProcesses >= maxOwnProcesses) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#ownProcesses++;
    let worker: Worker | undefined;
    try {
      worker = await this.#options.startWorker();
      return this.#fault(await this.#run(worker, model), model);
    } finally {
      worker?.kill("it has loaded what it was to load");
      this.#ownProcesses--;
      this.#waiting.shift()?.();
    }
  }

  async #loadShared(model: Model): Promise<string | undefined> {
    this.#shared ??= await this.#options.startWorker();
    const reply = await this.#run(this.#shared, model);
    if (reply.kind !== "result" && reply.kind !== "raised") this.#shared = undefined; // it is gone
    // An archive before this one may have ended the process: by what it left running, or a little later.
    return reply.kind === "lost" ? this.#loadAlone(model) : this.#fault(reply, model);
  }

  #run(worker: Worker, model: Model): Promise<Reply> {
    const call = {
      callId: randomUUID(),
      what: { kind: "load", model },
      body: [],
      timeoutMs: this.#options.timeoutMs,
      signal: new AbortController().signal,
    } as const;
    return new Promise((resolve) => worker.take({ call, resolve }));
  }

  #fault(reply: Reply, { name }: Model): string | undefined {
    switch (reply.kind) {
      case "result":
        return undefined;
      case "raised":
        return reply.raised.message;
      case "rejected":
        return reply.rejected.message;
      case "timed-out":
        return `${name} was not loaded within ${this.#options.timeoutMs / 1000} s (TABPY_LOAD_TIMEOUT)`;
      case "lost":
        return `the Python process that loaded ${name} ended: ${reply.reason}`;
      case "cancelled":
        return "the load was cancelled";
      default:
        return reply satisfies never;
    }
  }
}
