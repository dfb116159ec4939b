// One worker: a process, its channel, and the call that it runs. Starting, one call at a time, and every way to
// lose it. Which worker gets which call, and what replaces a lost one, is pool.ts's affair.

import { randomBytes } from "node:crypto";
import { errorText, TabPyError } from "../errors.ts";
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
/** A call that waits behind another one begins within this time, or it is given to another worker. */
const leaseMs = 5;
/** A call is sent behind another one only when the last one took no longer than this. */
const shortCallMs = 2;
/** Larger bodies are not sent twice for a little time gained. */
const maxAheadBodyBytes = 64 * 1024;
const maxAheadCalls = 4;
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
  /** Called when the worker has answered and can take another call. */
  readonly onFree: (worker: Worker) => void;
  /** Takes calls that were sent but will surely not begin here. */
  readonly onReturned: (jobs: readonly Job[]) => void;
  /** Called once, when the worker can't take calls any more. */
  readonly onLost: (worker: Worker, reason: string) => void;
}

/** A call and where its reply goes. */
export interface Job {
  readonly call: Call;
  readonly resolve: (reply: Reply) => void;
}

interface Sent {
  readonly job: Job;
  readonly number: number;
  /** When it can't begin any more, by performance.now(); undefined for a call that met an idle worker. */
  readonly notAfterMs: number | undefined;
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
  readonly #decoder: FrameDecoder;
  /** Calls in the order of sending; the first one runs, the others wait in the channel. */
  readonly #sent: Sent[] = [];
  #startOutput = "";
  #number = 0;
  #answered = 0;
  #headSince = 0;
  #lastCallMs = Number.POSITIVE_INFINITY;
  #limitTimer: NodeJS.Timeout | undefined;
  #leaseTimer: NodeJS.Timeout | undefined;
  /** The worker's clock minus performance.now(), in milliseconds, or a little less. */
  #clockOffsetMs = 0;
  #pid: number | undefined;
  #isReady = false;
  #lostReason: string | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#process = options.spawn();
    this.#output = new OutputReader(this.#process.log, this.#marker, (number, line) =>
      this.#printed(number, line),
    );
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
    return this.#sent.length > 0;
  }

  /** Whether `call` may be sent now: to an idle worker always, behind short calls a few short ones. */
  canTake(call: Call): boolean {
    if (this.#sent.length === 0) return true;
    return (
      this.#lastCallMs <= shortCallMs &&
      this.#sent.length <= maxAheadCalls &&
      call.body.length <= maxAheadBodyBytes &&
      performance.now() - this.#headSince < shortCallMs
    );
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
    const now = performance.now();
    const number = ++this.#number;
    // Most scripts are done sooner than a new worker would be ready: a short one may finish for nobody.
    const onAbort = () =>
      setTimeout(() => this.#sent[0] === sent && this.#stop("cancelled"), cancelPatienceMs);
    const isAhead = this.#sent.length > 0;
    const sent: Sent = { job, number, notAfterMs: isAhead ? now + leaseMs : undefined, onAbort };
    call.signal.addEventListener("abort", onAbort);
    this.#sent.push(sent);
    this.#callIds.set(number, call.callId);
    this.#callIds.delete(number - maxAheadCalls - 4);
    if (isAhead) {
      const notAfter = Math.floor((now + leaseMs + this.#clockOffsetMs) * 1000);
      this.#send({ id: number, kind: call.kind, notAfter }, call.body);
      this.#leaseTimer ??= setTimeout(() => this.#checkLeases(), leaseMs + 1);
    } else {
      this.#begin(sent, now);
      this.#send({ id: number, kind: call.kind }, call.body);
    }
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
      case "returned":
        this.#replied(header, body);
        return;
      default:
        this.#lose(`an unknown message "${String(header.kind).slice(0, 40)}" on its channel`);
    }
  }

  #replied(header: ReplyHeader, body: Buffer): void {
    const [sent] = this.#sent;
    // What was withdrawn is returned later; nobody waits for it any more.
    if (sent === undefined || header.id !== sent.number) return;
    this.#sent.shift();
    this.#answered++;
    const now = performance.now();
    if (header.kind !== "returned") this.#lastCallMs = now - this.#headSince;
    const [next] = this.#sent;
    if (next !== undefined) this.#begin(next, now);
    if (header.leftovers !== undefined) this.#lostReason ??= `its call left ${header.leftovers} running`;
    switch (header.kind) {
      case "result":
        this.#settle(sent, { kind: "result", body });
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
      this.#return(this.#sent.splice(0)); // the worker begins no call after such an answer
      this.#process.kill(this.#pid);
      this.#options.onLost(this, `its call left ${header.leftovers} running`);
    }
  }

  /** From now on `sent` is the call that runs: its time limit counts. */
  #begin(sent: Sent, now: number): void {
    this.#headSince = now;
    this.#output.setRunning(sent.number);
    // One timer for many calls: it looks at the clock when it fires, and goes on for the call that runs then.
    if (sent.job.call.timeoutMs !== undefined) {
      this.#limitTimer ??= setTimeout(() => this.#checkLimit(), sent.job.call.timeoutMs);
    }
  }

  #checkLimit(): void {
    this.#limitTimer = undefined;
    const limitMs = this.#sent[0]?.job.call.timeoutMs;
    if (limitMs === undefined) return;
    const leftMs = this.#headSince + limitMs - performance.now();
    if (leftMs <= 0) this.#stop("timed-out");
    else this.#limitTimer = setTimeout(() => this.#checkLimit(), Math.ceil(leftMs));
  }

  /** Take back calls that wait behind one that takes long. Two looks, so that no answer lies unread between. */
  #checkLeases(seen?: Sent): void {
    this.#leaseTimer = undefined;
    const [head, next] = this.#sent;
    if (head === undefined || next === undefined) return;
    const leftMs = (next.notAfterMs ?? 0) - performance.now();
    if (leftMs > 0 || head !== seen || this.#decoder.isInsideFrame) {
      const isOver = leftMs <= 0;
      this.#leaseTimer = setTimeout(
        () => this.#checkLeases(isOver ? head : undefined),
        isOver ? 1 : Math.ceil(leftMs) + 1,
      );
      return;
    }
    const now = performance.now();
    const firstValid = this.#sent.findIndex((sent, at) => at > 0 && (sent.notAfterMs ?? 0) > now);
    this.#return(this.#sent.splice(1, firstValid === -1 ? this.#sent.length : firstValid - 1));
    if (this.#sent.length > 1) this.#leaseTimer = setTimeout(() => this.#checkLeases(), leaseMs);
  }

  #return(calls: readonly Sent[]): void {
    for (const sent of calls) sent.job.call.signal.removeEventListener("abort", sent.onAbort);
    if (calls.length > 0) this.#options.onReturned(calls.map((sent) => sent.job));
  }

  /** Answer the call that runs and end the worker. */
  #stop(kind: "timed-out" | "cancelled"): void {
    const sent = this.#sent.shift();
    if (sent !== undefined) this.#settle(sent, { kind });
    this.#lose(
      kind === "timed-out" ? "killed at the time limit of its call" : "killed with its cancelled call",
    );
  }

  #settle(sent: Sent, reply: Reply): void {
    sent.job.call.signal.removeEventListener("abort", sent.onAbort);
    sent.job.resolve(reply);
  }

  async #channelClosed(): Promise<void> {
    if (this.#lostReason !== undefined && this.#sent.length === 0) return;
    // How it ended is known a few milliseconds later; the caller is told.
    this.#process.kill(this.#pid);
    const how = await within(this.#process.ended, endReportMs, "").catch(() => "a closed channel");
    this.#lose(how);
  }

  #lose(reason: string): void {
    const isFirst = this.#lostReason === undefined;
    this.#lostReason ??= reason;
    clearTimeout(this.#limitTimer);
    clearTimeout(this.#leaseTimer);
    // Only the first call had begun: an answer to it would have come before the end of the channel.
    const [head, ...ahead] = this.#sent.splice(0);
    if (head !== undefined) this.#settle(head, { kind: "lost", reason });
    this.#process.kill(this.#pid);
    this.#return(ahead);
    if (isFirst) this.#options.onLost(this, reason);
  }

  #printed(number: number, line: string): void {
    if (!this.#isReady && this.#startOutput.length < quotedStartOutput) this.#startOutput += `${line}\n`;
    else this.#options.onOutput(this.#callIds.get(number), line);
  }
}
