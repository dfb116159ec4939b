// bcrypt off the event loop: one worker thread (bcrypt-thread.ts), started for the first hash, which computes one
// hash at a time. A hash takes a tenth of a second of JavaScript, during which the event loop would answer no
// request.

import { Worker } from "node:worker_threads";
import { TabPyError } from "../errors.ts";
import type { BcryptReply, BcryptRequest } from "./bcrypt-thread.ts";

interface Waiting {
  readonly resolve: (value: string | boolean) => void;
  readonly reject: (error: Error) => void;
}

export class Bcrypt {
  readonly name = "bcrypt";
  #thread: Worker | undefined;
  #lastId = 0;
  readonly #waiting = new Map<number, Waiting>();

  /** Does nothing: the first hash starts the thread. */
  async start(): Promise<void> {}

  async hash(password: string, cost: number): Promise<string> {
    return String(await this.#ask({ kind: "hash", password, cost }));
  }

  async compare(password: string, hash: string): Promise<boolean> {
    return (await this.#ask({ kind: "compare", password, hash })) === true;
  }

  /** Terminates the thread; pending hashes are rejected. */
  async stop(): Promise<void> {
    const thread = this.#thread;
    this.#lose(thread, new TabPyError("unavailable", "The server is stopping"));
    await thread?.terminate();
  }

  #ask(request: BcryptRequest): Promise<string | boolean> {
    this.#thread ??= this.#startThread();
    const id = ++this.#lastId;
    const answer = new Promise<string | boolean>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    this.#thread.postMessage({ id, ...request });
    return answer;
  }

  #startThread(): Worker {
    const thread = new Worker(threadUrl());
    thread.on("message", ({ id, value, fault }: BcryptReply) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (fault === undefined) waiting?.resolve(value ?? false);
      else waiting?.reject(new Error(`bcrypt failed: ${fault}`));
    });
    thread.on("error", (error: Error) => this.#lose(thread, error));
    thread.on("exit", () => this.#lose(thread, new Error("bcrypt's thread ended")));
    return thread;
  }

  /** The next hash starts another thread. */
  #lose(thread: Worker | undefined, error: Error): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** In the executable, every module has the URL of the executable, and scripts/build puts the thread below it. */
function threadUrl(): URL {
  const isSource = import.meta.url.endsWith("/bcrypt.ts");
  return new URL(isSource ? "./bcrypt-thread.ts" : "./src/auth/bcrypt-thread.ts", import.meta.url);
}
