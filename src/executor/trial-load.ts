// Loads the archives of new deployments to find out whether they can be loaded, in processes beside the pool, so that
// neither waits for the other. A pickle can run any code; here it runs in a process of its own, for a limited time.

import { randomUUID } from "node:crypto";
import pLimit from "p-limit";
import { errorText } from "../errors.ts";
import type { Model } from "../model.ts";
import { PendingCall } from "./call.ts";
import type { Reply } from "./executor.ts";
import type { Worker } from "./worker.ts";

/** How many archives are loaded concurrently, each in a process of its own. */
const maxOwnProcesses = 4;

export class TrialLoad {
  readonly #startWorker: () => Promise<Worker>;
  readonly #timeoutMs: number;
  readonly #limit = pLimit(maxOwnProcesses);
  #shared: Worker | undefined;

  /** @param startWorker starts a worker that nobody else uses. */
  constructor(startWorker: () => Promise<Worker>, timeoutMs: number) {
    this.#startWorker = startWorker;
    this.#timeoutMs = timeoutMs;
  }

  /** Load an archive in a fresh process; resolves with what is wrong with the archive, or undefined. */
  readonly tryAlone = (model: Model): Promise<string | undefined> =>
    this.#limit(() => this.#loadAlone(model)).catch(errorText);

  /**
   * Load an archive in the process of the previous load: for archives that have served before. Such loads must come
   * one after the other, and `endShared` must be called after the last one.
   */
  readonly tryShared = (model: Model): Promise<string | undefined> =>
    this.#loadShared(model).catch(errorText);

  readonly endShared = (): void => {
    this.#shared?.stop();
    this.#shared = undefined;
  };

  async #loadAlone(model: Model): Promise<string | undefined> {
    let worker: Worker | undefined;
    try {
      worker = await this.#startWorker();
      return this.#faultOf(await this.#run(worker, model), model);
    } finally {
      worker?.kill("its trial load has ended");
    }
  }

  async #loadShared(model: Model): Promise<string | undefined> {
    this.#shared ??= await this.#startWorker();
    const reply = await this.#run(this.#shared, model);
    if (reply.kind !== "result" && reply.kind !== "raised") this.#shared = undefined; // it has ended
    // An earlier archive may have ended the process: because it left something running, or with a delay.
    return reply.kind === "lost" ? this.tryAlone(model) : this.#faultOf(reply, model);
  }

  #run(worker: Worker, model: Model): Promise<Reply> {
    const pending = new PendingCall({
      callId: randomUUID(),
      what: { kind: "load", model },
      body: [],
      timeoutMs: this.#timeoutMs,
      signal: new AbortController().signal,
    });
    worker.send(pending);
    return pending.reply;
  }

  #faultOf(reply: Reply, { name }: Model): string | undefined {
    switch (reply.kind) {
      case "result":
        return undefined;
      case "raised":
        return reply.raised.message;
      case "rejected":
        return reply.rejected.message;
      case "too-large":
        return "there was no memory for the error";
      case "timed-out":
        return `${name} was not loaded within ${this.#timeoutMs / 1000} s (TABPY_LOAD_TIMEOUT)`;
      case "lost":
        return `the Python process that loaded ${name} ended: ${reply.reason}`;
      case "cancelled":
        return "the load was cancelled";
      default:
        return reply satisfies never;
    }
  }
}
