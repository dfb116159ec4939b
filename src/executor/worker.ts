// One worker: a process, its channel, and the call that it runs. Starting, one call at a time, and every way to
// lose it. Which worker gets which call, and what replaces a lost one, is pool.ts's affair.

import { randomBytes } from "node:crypto";
import { errorText, TabPyError } from "../errors.ts";
import { within } from "../lifecycle.ts";
import { FrameDecoder, FrameWriter } from "./channel/frames.ts";
import type { Model, Resolution } from "../model.ts";
import type { Call, Header, HelloHeader, Reply, ReplyHeader } from "./channel/messages.ts";
import { OutputReader } from "./channel/script-output.ts";
import { workerSources } from "../programs/sources.ts";
import { type Job, type SentCall, SentCalls } from "./in-flight.ts";
import type { SpawnWorker, WorkerProcess } from "./process/spawn.ts";

/** How long an interpreter may take to say hello, and then to be ready. */
const startTimeoutMs = 30_000;
/** How long to wait, after the channel closed, for how the process ended. */
const endReportMs = 1000;
/** How long a call may go on whose client has gone. */
const cancelPatienceMs = 100;
/** How many answers back a late line of output finds its call's id: more than come in one go (in-flight.ts). */
const rememberedCalls = 64;
/** How much of what an interpreter printed is quoted when it doesn't start. */
const quotedStartOutput = 500;

const sourcesBody = Buffer.from(JSON.stringify(workerSources));

/** What a worker needs from its surroundings. */
export interface WorkerOptions {
  readonly spawn: SpawnWorker;
  readonly useOrjson: boolean;
  /** Whether memory that a call has freed stays with the worker for a moment. */
  readonly keepMemory: boolean;
  /** How many deployed functions the worker keeps loaded. */
  readonly models: number;
  readonly endpoints: EndpointLookup;
  /** Why an interpreter can't be used, undefined when it can. */
  readonly refuse: (hello: HelloHeader) => string | undefined;
  /** Takes what the log is to say about the function that a call evaluates; undefined: workers don't say it. */
  readonly onFunction: ((callId: string | undefined, message: string) => void) | undefined;
  /** Takes a line that was printed; `callId` is undefined outside of calls. */
  readonly onOutput: (callId: string | undefined, line: string) => void;
  /** Called when the worker has answered and can take another call. */
  readonly onFree: (worker: Worker) => void;
  /** Takes calls that were sent but will surely not begin here. */
  readonly onReturned: (jobs: readonly Job[]) => void;
  /** Called once, when the worker can't take calls any more. */
  readonly onLost: (worker: Worker, reason: string) => void;
}

/** What the worker asks about deployed functions. */
export interface EndpointLookup {
  readonly resolve: (name: string) => Resolution;
  /** Changes with everything that `resolve` could answer otherwise. */
  readonly revision: () => number;
}

export class Worker {
  readonly #options: WorkerOptions;
  readonly #process: WorkerProcess;
  readonly #output: OutputReader;
  readonly #marker = randomBytes(12).toString("hex");
  readonly #waiting = new Map<"hello" | "ready", (header: Header) => void>();
  /** Ids of the last calls, for output that arrives after the answer. */
  readonly #callIds = new Map<number, string>();
  readonly #decoder: FrameDecoder;
  readonly #writer: FrameWriter;
  readonly #sent: SentCalls;
  /** What the log says about functions, by the worker's numbers for them (programs/worker/function_log.py). */
  readonly #functions = new Map<number, string>();
  /** Name of a deployed function -> key of the archive that the worker has loaded. */
  readonly #models = new Map<string, string>();
  #startOutput = "";
  #number = 0;
  #answered = 0;
  /** The worker's clock minus performance.now(), in milliseconds, or a little less. */
  #clockOffsetMs = 0;
  #pid: number | undefined;
  #isReady = false;
  #lostReason: string | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#process = options.spawn();
    this.#output = new OutputReader(
      this.#process.log,
      this.#marker,
      (number, line) => this.#printed(number, line),
      (number, text) => options.onFunction?.(this.#callIds.get(number), functionMessage(text)),
    );
    this.#sent = new SentCalls({
      onBegin: (number) => this.#output.setRunning(number),
      onLimit: () => this.#stop("timed-out"),
      onExpired: (calls) => this.#return(calls),
      isAnswerComing: () => this.#decoder.isInsideFrame,
    });
    this.#writer = new FrameWriter(this.#process.input);
    this.#decoder = new FrameDecoder((header, body) => this.#received(header, body));
    this.#process.output.on("data", (chunk: Buffer) => {
      try {
        const answered = this.#answered;
        this.#decoder.push(chunk);
        if (this.#answered > answered && this.#lostReason === undefined) options.onFree(this);
      } catch (error) {
        this.#lose(`bytes on its channel that are no frame (${errorText(error)})`);
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
    return this.#sent.head !== undefined;
  }

  /** Whether `call` may be sent now. */
  canTake(call: Call): boolean {
    return this.#sent.canTake(call);
  }

  /** Whether the call that runs will most likely be done at once, and `call` could follow it. */
  isQuickFor(call: Call): boolean {
    if (!this.#sent.isQuick || !this.#sent.canTake(call)) return false;
    const { what } = call;
    return what.kind !== "query" || what.model === undefined || this.hasModel(what.model);
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
      this.#writer.write(
        {
          id: 0,
          kind: "start",
          marker: this.#marker,
          orjson: this.#options.useOrjson,
          keepMemory: this.#options.keepMemory,
          announce: this.#options.onFunction !== undefined,
          models: this.#options.models,
        },
        [sourcesBody],
      );
      const header = await within(ready, startTimeoutMs, "it was not ready in 30 s");
      if (header.kind === "ready") {
        this.#pid = header.pid;
        this.#clockOffsetMs = header.clock / 1000 - performance.now();
      }
      this.#isReady = true;
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  /** Send a call, when `canTake` allows it. The job's reply may be that it was lost. */
  take(job: Job): void {
    const { call } = job;
    if (this.#lostReason !== undefined) {
      job.resolve({ kind: "lost", reason: this.#lostReason });
      return;
    }
    const number = ++this.#number;
    // Most scripts are done sooner than a new worker would be ready: a short one may finish for nobody.
    const onAbort = () =>
      setTimeout(() => this.#sent.head === sent && this.#stop("cancelled"), cancelPatienceMs);
    call.signal.addEventListener("abort", onAbort);
    this.#callIds.set(number, call.callId);
    const sent = this.#sent.add(job, number, onAbort);
    this.#writer.write(this.#header(call, number, sent.notAfterMs), call.body);
  }

  #header({ what, callId }: Call, id: number, notAfterMs: number | undefined): Header {
    const notAfter =
      notAfterMs === undefined ? {} : { notAfter: Math.floor((notAfterMs + this.#clockOffsetMs) * 1000) };
    switch (what.kind) {
      case "evaluate":
        return { id, kind: what.kind, revision: this.#options.endpoints.revision(), ...notAfter };
      case "query":
        if (what.model !== undefined) this.#remember(what.model);
        return { id, kind: what.kind, model: what.model, uuid: callId, ...notAfter };
      case "load":
        return { id, kind: what.kind, model: what.model, ...notAfter };
      default:
        return what satisfies never;
    }
  }

  /** Whether the worker has most likely loaded this archive already. */
  hasModel({ name, key }: Model): boolean {
    return this.#models.get(name) === key;
  }

  /** What the worker keeps is known from what it was sent: the same number, the least recently used leaves. */
  #remember({ name, key }: Model): void {
    this.#models.delete(name);
    this.#models.set(name, key);
    if (this.#models.size <= this.#options.models) return;
    const [oldest] = this.#models.keys();
    if (oldest !== undefined) this.#models.delete(oldest);
  }

  /** Ask the worker to end when it is idle, and give it a moment for it. */
  end(): void {
    this.#lostReason ??= "it was stopped";
    this.#process.end(this.#pid);
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

  #received(header: Header, body: Buffer): void {
    switch (header.kind) {
      case "hello":
      case "ready":
        this.#waiting.get(header.kind)?.(header);
        return;
      case "resolve":
        this.#resolve(header.id, body.toString());
        return;
      case "result":
      case "raised":
      case "rejected":
      case "returned":
        this.#replied(header, body);
        return;
      default:
        this.#lose(`an unknown message "${String(header.kind).slice(0, 40)}" on its channel`);
    }
  }

  #resolve(id: number, name: string): void {
    const resolved = this.#options.endpoints.resolve(name);
    this.#writer.write({ id, kind: "resolved" }, [Buffer.from(JSON.stringify(resolved))]);
  }

  #replied(header: ReplyHeader, body: Buffer): void {
    this.#callIds.delete(header.id - rememberedCalls);
    const sent = this.#sent.head;
    // What was withdrawn is returned later; nobody waits for it any more.
    if (sent === undefined || header.id !== sent.number) return;
    this.#sent.shift(header.kind === "returned" ? undefined : header.took / 1000);
    this.#answered++;
    if (header.function !== undefined) this.#tellFunction(sent.job.call.callId, header.function);
    if (header.leftovers !== undefined) this.#lostReason ??= `its call left ${header.leftovers} running`;
    switch (header.kind) {
      case "result":
        this.#settle(sent, { kind: "result", body, etag: header.etag });
        break;
      case "raised":
        this.#settle(sent, { kind: "raised", raised: JSON.parse(body.toString()) });
        break;
      case "rejected":
        this.#settle(sent, { kind: "rejected", rejected: JSON.parse(body.toString()) });
        break;
      case "returned":
        this.#return([sent]);
        break;
      default:
        header.kind satisfies never;
    }
    if (header.leftovers !== undefined) {
      const { head, ahead } = this.#sent.close(); // the worker begins no call after such an answer
      this.#return(head === undefined ? ahead : [head, ...ahead]);
      this.#process.kill(this.#pid);
      this.#options.onLost(this, `its call left ${header.leftovers} running`);
    }
  }

  #tellFunction(callId: string, known: NonNullable<ReplyHeader["function"]>): void {
    if (typeof known !== "number") this.#functions.set(known[0], functionMessage(known[1]));
    const message = this.#functions.get(typeof known === "number" ? known : known[0]);
    if (message !== undefined) this.#options.onFunction?.(callId, message);
  }

  #return(calls: readonly SentCall[]): void {
    for (const sent of calls) sent.job.call.signal.removeEventListener("abort", sent.onAbort);
    if (calls.length > 0) this.#options.onReturned(calls.map((sent) => sent.job));
  }

  /** Answer the call that runs and end the worker. */
  #stop(kind: "timed-out" | "cancelled"): void {
    const reason =
      kind === "timed-out" ? "killed at the time limit of its call" : "killed with its cancelled call";
    this.#lose(reason, { kind });
  }

  #settle(sent: SentCall, reply: Reply): void {
    sent.job.call.signal.removeEventListener("abort", sent.onAbort);
    sent.job.resolve(reply);
  }

  async #channelClosed(): Promise<void> {
    if (this.#lostReason !== undefined && !this.isBusy) return;
    // How it ended is known a few milliseconds later; the caller is told.
    this.#process.kill(this.#pid);
    const how = await within(this.#process.ended, endReportMs, "").catch(() => "a closed channel");
    this.#lose(how);
  }

  /** The worker is of no use any more: `reply` goes to the call that ran. */
  #lose(reason: string, reply: Reply = { kind: "lost", reason }): void {
    const isFirst = this.#lostReason === undefined;
    this.#lostReason ??= reason;
    // Only the first call had begun: an answer to it would have come before the end of the channel.
    const { head, ahead } = this.#sent.close();
    if (head !== undefined) this.#settle(head, reply);
    this.#process.kill(this.#pid);
    this.#return(ahead);
    if (isFirst) this.#options.onLost(this, reason);
  }

  #printed(number: number, line: string): void {
    if (!this.#isReady && this.#startOutput.length < quotedStartOutput) this.#startOutput += `${line}\n`;
    else this.#options.onOutput(this.#callIds.get(number), line);
  }
}

/** TabPy's words. */
function functionMessage(text: string): string {
  return `function to evaluate=${text}`;
}
