// One worker: a process, its channel, and the call that it runs. Starting, one call at a time, and every way to
// lose it. Which worker gets which call, and what replaces a lost one, is pool.ts's affair.

import { randomBytes } from "node:crypto";
import { TabPyError } from "../errors.ts";
import { within } from "../lifecycle.ts";
import { encodeFrame, FrameDecoder } from "./frames.ts";
import type { Call, Header, HelloHeader, Reply, ReplyHeader } from "./messages.ts";
import { OutputReader } from "./output.ts";
import { workerSources } from "./programs.ts";
import type { SpawnWorker, WorkerProcess } from "./spawn.ts";

/** How long an interpreter may take to say hello, and then to be ready. */
const startTimeoutMs = 30_000;
/** How long to wait, after the channel closed, for how the process ended. */
const endReportMs = 1000;
/** How long a call may go on whose client has gone. */
const cancelPatienceMs = 100;
/** How much of what an interpreter printed is quoted when it doesn't start. */
const quotedStartOutput = 500;

const sourcesBody = Buffer.from(JSON.stringify(workerSources));

/** What a worker needs from its surroundings. */
export interface WorkerOptions {
  readonly spawn: SpawnWorker;
  readonly useOrjson: boolean;
  /** Why an interpreter can't be used, undefined when it can. */
  readonly refuse: (hello: HelloHeader) => string | undefined;
  /** Takes a line that was printed; `callId` is undefined outside of calls. */
  readonly onOutput: (callId: string | undefined, line: string) => void;
  /** Called once, when the worker can't take calls any more. */
  readonly onLost: (worker: Worker, reason: string) => void;
}

interface Pending {
  readonly call: Call;
  readonly resolve: (reply: Reply) => void;
  readonly timer: NodeJS.Timeout | undefined;
  readonly onAbort: () => void;
}

export class Worker {
  readonly #options: WorkerOptions;
  readonly #process: WorkerProcess;
  readonly #output: OutputReader;
  readonly #marker = randomBytes(12).toString("hex");
  readonly #waiting = new Map<"hello" | "ready", (header: Header) => void>();
  /** Ids of the last calls, for output that arrives after the answer. */
  readonly #callIds = new Map<number, string>();
  #startOutput = "";
  #pending: Pending | undefined;
  #number = 0;
  #pid: number | undefined;
  #isReady = false;
  #lostReason: string | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#process = options.spawn();
    this.#output = new OutputReader(this.#process.log, this.#marker, (number, line) =>
      this.#printed(number, line),
    );
    const decoder = new FrameDecoder((header, body) => this.#received(header, body));
    this.#process.output.on("data", (chunk: Buffer) => {
      try {
        decoder.push(chunk);
      } catch (error) {
        this.#lose(
          `bytes on its channel that are no frame (${error instanceof Error ? error.message : error})`,
        );
      }
    });
    this.#process.output.on("close", () => this.#channelClosed());
    this.#process.output.on("error", () => this.#channelClosed());
    this.#process.input.on("error", () => this.#channelClosed());
    this.#process.ended.then((how) => this.#lose(how));
  }

  /** Process id of the worker itself, known once it is ready. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Calls that this worker has taken. */
  get callCount(): number {
    return this.#number;
  }

  get isBusy(): boolean {
    return this.#pending !== undefined;
  }

  /** Resolves when the process and all that it started is gone. */
  get ended(): Promise<unknown> {
    return this.#process.ended;
  }

  /**
   * Wait until the worker can take calls.
   *
   * @throws TabPyError `config` when the interpreter is unsuitable, `unavailable` when it doesn't start; the
   * message says what it printed. The process is ended then.
   */
  async start(): Promise<void> {
    try {
      const hello = await within(
        this.#untilHeard("hello"),
        startTimeoutMs,
        "it did not say what it is in 30 s",
      );
      if (hello.kind === "hello") {
        const refusal = this.#options.refuse(hello);
        if (refusal !== undefined) throw new TabPyError("config", refusal);
      }
      const ready = this.#untilHeard("ready");
      this.#send(
        { id: 0, kind: "start", marker: this.#marker, orjson: this.#options.useOrjson },
        sourcesBody,
      );
      const header = await within(ready, startTimeoutMs, "it was not ready in 30 s");
      if (header.kind === "ready") this.#pid = header.pid;
      this.#isReady = true;
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  /** Run a call. Never rejects: a lost worker is a reply too. */
  run(call: Call): Promise<Reply> {
    return new Promise((resolve) => {
      if (this.#lostReason !== undefined) return resolve({ kind: "lost", reason: this.#lostReason });
      if (call.signal.aborted) return resolve({ kind: "cancelled" });
      const stop = (kind: "timed-out" | "cancelled") => {
        this.#settle({ kind });
        this.#lose(
          kind === "timed-out" ? "killed at the time limit of its call" : "killed with its cancelled call",
        );
      };
      // Most scripts are done sooner than a new worker would be ready: a short one may finish for nobody.
      const onAbort = () =>
        setTimeout(() => pending === this.#pending && stop("cancelled"), cancelPatienceMs);
      const timer = call.timeoutMs === undefined ? undefined : setTimeout(stop, call.timeoutMs, "timed-out");
      call.signal.addEventListener("abort", onAbort);
      const pending: Pending = { call, resolve, timer, onAbort };
      this.#pending = pending;
      this.#number++;
      this.#callIds.set(this.#number, call.callId);
      this.#callIds.delete(this.#number - 4);
      this.#output.setRunning(this.#number);
      this.#send({ id: this.#number, kind: call.kind }, call.body);
    });
  }

  /** Ask the worker to end when it is idle, and give it a moment for it. */
  end(): void {
    this.#lostReason ??= "it was stopped";
    this.#process.input.end();
  }

  /** End the worker and everything that it started. */
  kill(reason = "it was stopped"): void {
    this.#lose(reason);
  }

  #untilHeard(kind: "hello" | "ready"): Promise<Header> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(kind, resolve);
      this.#process.ended.then((how) => reject(this.#startFailure(how)));
    });
  }

  #startFailure(how: string): TabPyError {
    const said = this.#startOutput.trim();
    return new TabPyError("unavailable", `it ended with ${how}${said === "" ? "" : `: ${said}`}`);
  }

  #send(header: Header, body: Uint8Array): void {
    for (const piece of encodeFrame(header, body)) this.#process.input.write(piece);
  }

  #received(header: Header, body: Buffer): void {
    switch (header.kind) {
      case "hello":
      case "ready":
        this.#waiting.get(header.kind)?.(header);
        return;
      case "result":
      case "raised":
      case "rejected":
        if (header.id === this.#number) this.#replied(header, body);
        return;
      default:
        this.#lose(`an unknown message "${String(header.kind).slice(0, 40)}" on its channel`);
    }
  }

  #replied(header: ReplyHeader, body: Buffer): void {
    if (header.leftovers !== undefined) this.#lostReason ??= `its call left ${header.leftovers} running`;
    switch (header.kind) {
      case "result":
        this.#settle({ kind: "result", body });
        break;
      case "raised":
        this.#settle({ kind: "raised", raised: JSON.parse(body.toString()) });
        break;
      case "rejected":
        this.#settle({ kind: "rejected", rejected: JSON.parse(body.toString()) });
        break;
      default:
        header.kind satisfies never;
    }
    if (header.leftovers !== undefined) {
      this.#process.kill(this.#pid);
      this.#options.onLost(this, `its call left ${header.leftovers} running`);
    }
  }

  /** Answer the caller first; whatever else there is to do comes after. */
  #settle(reply: Reply): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    clearTimeout(pending.timer);
    pending.call.signal.removeEventListener("abort", pending.onAbort);
    pending.resolve(reply);
  }

  async #channelClosed(): Promise<void> {
    if (this.#lostReason !== undefined && this.#pending === undefined) return;
    // How it ended is known a few milliseconds later; the caller is told.
    this.#process.kill(this.#pid);
    const how = await within(this.#process.ended, endReportMs, "").catch(() => "a closed channel");
    this.#lose(how);
  }

  #lose(reason: string): void {
    const isFirst = this.#lostReason === undefined;
    this.#lostReason ??= reason;
    this.#settle({ kind: "lost", reason });
    this.#process.kill(this.#pid);
    if (isFirst) this.#options.onLost(this, reason);
  }

  #printed(number: number, line: string): void {
    if (!this.#isReady && this.#startOutput.length < quotedStartOutput) this.#startOutput += `${line}\n`;
    else this.#options.onOutput(this.#callIds.get(number), line);
  }
}
