// One worker as the server sees it: a process, its channel, and the calls that it was sent. It has one state, one way
// out (`#end`), and tells the pool what happens by one callback. The other half is programs/worker/main.py.

import { randomBytes } from "node:crypto";
import QuickLRU from "quick-lru";
import { errorText, TabPyError } from "../errors.ts";
import { within } from "../lifecycle.ts";
import type { Model } from "../model.ts";
import { workerSources } from "../programs/sources.ts";
import type { PendingCall } from "./call.ts";
import { FrameDecoder, FrameWriter } from "./channel/frames.ts";
import {
  callHeader,
  type Header,
  type HelloHeader,
  parseReply,
  type ReadyHeader,
  type ReplyHeader,
  type StartHeader,
} from "./channel/messages.ts";
import { OutputReader } from "./channel/script-output.ts";
import type { Call, Functions, Reply } from "./executor.ts";
import { InFlight } from "./in-flight.ts";
import type { SpawnWorker, WorkerProcess } from "./process/spawn.ts";

/** How long an interpreter may take to write `hello`, and then `ready`. */
const startTimeoutMs = 30_000;
/** How long the channel may stay open after the process has ended, and the reverse. */
const channelCloseTimeoutMs = 1000;
/** How long a call may continue after its client has gone: most calls end sooner than a new worker would start. */
const cancelGraceMs = 100;
/** How many characters of the output of an interpreter that doesn't start are quoted. */
const quotedStartOutput = 500;

const sourcesBody = Buffer.from(JSON.stringify(workerSources));

export interface WorkerOptions {
  readonly spawn: SpawnWorker;
  readonly settings: Pick<StartHeader, "orjson" | "keepMemory" | "models">;
  readonly functions: Functions;
  /** Why an interpreter can't be used; undefined when it can. */
  readonly refuse: (hello: HelloHeader) => string | undefined;
  readonly onEvent: (worker: Worker, event: WorkerEvent) => void;
}

/** What the pool is told about a worker. */
export type WorkerEvent =
  /** It has replied and can take another call. */
  | { readonly kind: "free" }
  /** It was sent these calls and will not start them. */
  | { readonly kind: "returned"; readonly calls: readonly PendingCall[] }
  /** It was ready and can't take calls any more. */
  | { readonly kind: "lost"; readonly reason: string }
  /** A line that a script printed; `callId` is undefined outside of calls. */
  | { readonly kind: "printed"; readonly callId: string | undefined; readonly line: string };

type State = { kind: "starting" } | { kind: "ready" } | { kind: "ending"; reason: string };

interface EndOptions {
  readonly reply?: Reply;
  /** Whether the first call in flight has started. */
  readonly hasStarted?: boolean;
  readonly isGraceful?: boolean;
}

export class Worker {
  /** Resolves when the process and everything that it started is gone. */
  readonly ended: Promise<unknown>;
  /** Process id of the worker, known when it is ready. */
  pid: number | undefined;

  readonly #options: WorkerOptions;
  readonly #process: WorkerProcess;
  readonly #output: OutputReader;
  readonly #decoder: FrameDecoder;
  readonly #writer: FrameWriter;
  readonly #inFlight: InFlight;
  readonly #marker = randomBytes(12).toString("hex");
  readonly #hello = Promise.withResolvers<HelloHeader>();
  readonly #ready = Promise.withResolvers<ReadyHeader>();
  /** Name of a deployed function -> key of the archive that the worker has most likely loaded. */
  readonly #models: QuickLRU<string, string>;
  #state: State = { kind: "starting" };
  #startOutput = "";
  #callCount = 0;
  #hasReplied = false;
  #hasExited = false; // replies may still lie in the channel
  /** The worker's clock minus performance.now(), in milliseconds, or a little less. */
  #clockOffsetMs = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#models = new QuickLRU({ maxSize: options.settings.models });
    this.#process = options.spawn();
    this.ended = this.#process.ended;
    this.#output = new OutputReader(this.#process.log, this.#marker, (callId, line) =>
      this.#printed(callId, line),
    );
    this.#inFlight = new InFlight({
      onTimeLimit: () => this.#killTimedOut(),
      onExpired: (calls) => options.onEvent(this, { kind: "returned", calls }),
      isReplyComing: () => this.#decoder.isInsideFrame,
    });
    this.#writer = new FrameWriter(this.#process.input);
    this.#decoder = new FrameDecoder((header, body) => this.#received(header, body));
    this.#process.output.on("data", (chunk: Buffer) => this.#read(chunk));
    const outputClosed = new Promise<unknown>((resolve) => {
      this.#process.output.on("close", resolve).on("error", resolve);
    });
    outputClosed.then(() => this.#channelClosed());
    this.#process.input.on("error", () => this.#channelClosed());
    this.#process.ended.then(async (how) => {
      this.#hasExited = true;
      const output = this.#startOutput.trim();
      const failure = new TabPyError(
        "unavailable",
        `it ended with ${how}${output === "" ? "" : `: ${output}`}`,
      );
      this.#hello.reject(failure);
      this.#ready.reject(failure);
      await within(outputClosed, channelCloseTimeoutMs, "").catch(() => {}); // replies may still be unread
      this.#end(how);
    });
    this.#hello.promise.catch(() => {}); // `start` reports it
    this.#ready.promise.catch(() => {});
  }

  /** Calls that this worker was sent. */
  get callCount(): number {
    return this.#callCount;
  }

  get isBusy(): boolean {
    return this.#inFlight.first !== undefined;
  }

  get isReady(): boolean {
    return this.#state.kind === "ready";
  }

  /** Whether `call` may be sent now. */
  canTake(call: Call): boolean {
    return this.isReady && !this.#hasExited && this.#process.output.readable && this.#inFlight.canTake(call);
  }

  /** Whether the call that runs will most likely end very soon, and `call` may be sent behind it. */
  isQuickFor(call: Call): boolean {
    if (!this.#inFlight.isQuick || !this.canTake(call)) return false;
    const { what } = call;
    return what.kind !== "query" || what.model === undefined || this.hasModel(what.model);
  }

  /** Whether the worker has most likely loaded this archive. */
  hasModel({ name, key }: Model): boolean {
    return this.#models.peek(name) === key;
  }

  /**
   * Wait until the worker can take calls.
   *
   * @throws TabPyError `config` when the interpreter is unsuitable, `unavailable` when it doesn't start; the
   * message quotes what it printed. The process is killed then.
   */
  async start(): Promise<void> {
    try {
      const hello = await within(this.#hello.promise, startTimeoutMs, "it did not send hello within 30 s");
      const refusal = this.#options.refuse(hello);
      if (refusal !== undefined) throw new TabPyError("config", refusal);
      this.#writer.write({ id: 0, kind: "start", marker: this.#marker, ...this.#options.settings }, [
        sourcesBody,
      ]);
      const ready = await within(this.#ready.promise, startTimeoutMs, "it was not ready within 30 s");
      this.pid = ready.pid;
      if (this.#state.kind === "ending") throw new TabPyError("unavailable", this.#state.reason);
      this.#state = { kind: "ready" };
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  /** Send a call that `canTake` allows. */
  send(pending: PendingCall): void {
    if (this.#state.kind === "ending") {
      pending.settle({ kind: "lost", reason: this.#state.reason });
      return;
    }
    this.#inFlight.add(pending, ++this.#callCount);
    pending.onAbort = () => setTimeout(() => this.#killCancelled(pending), cancelGraceMs);
    if (this.#inFlight.first === pending) this.#output.setRunning(pending.call.callId);
    const { call, frameId, notAfterMs } = pending;
    if (call.what.kind === "query" && call.what.model !== undefined)
      this.#models.set(call.what.model.name, call.what.model.key);
    const notAfter =
      notAfterMs === undefined ? undefined : Math.floor((notAfterMs + this.#clockOffsetMs) * 1000);
    const revision = this.#options.functions.revision();
    this.#writer.write(callHeader(call, frameId, revision, notAfter), call.body);
  }

  /** End the idle worker: it is asked to exit, and killed when that takes too long. */
  stop(reason = "it was stopped"): void {
    this.#end(reason, { isGraceful: true });
  }

  /** Kill the worker and everything that it started; the call that runs is lost. */
  kill(reason = "it was stopped"): void {
    this.#end(reason);
  }

  #killTimedOut(): void {
    this.#end("killed at the time limit of its call", { reply: { kind: "timed-out" } });
  }

  #killCancelled(pending: PendingCall): void {
    if (this.#inFlight.first !== pending) return;
    this.#end("killed with its cancelled call", { reply: { kind: "cancelled", wasStarted: true } });
  }

  /** The one way out. The call that runs gets `reply`, by default `lost`; the others are returned. */
  #end(reason: string, { reply, hasStarted = true, isGraceful = false }: EndOptions = {}): void {
    const wasReady = this.isReady;
    if (this.#state.kind !== "ending") this.#state = { kind: "ending", reason };
    const calls = this.#inFlight.close();
    // Only the first call has started: a reply to it would have come before the end of the channel.
    if (hasStarted) calls.shift()?.settle(reply ?? { kind: "lost", reason });
    if (isGraceful) this.#process.end(this.pid);
    else this.#process.kill(this.pid);
    if (calls.length > 0) this.#options.onEvent(this, { kind: "returned", calls });
    if (wasReady) this.#options.onEvent(this, { kind: "lost", reason });
  }

  /** `#end` follows within milliseconds, when it is known how the process ended, because the caller is told. */
  #channelClosed(): void {
    if (this.#state.kind === "ending") return;
    this.#process.kill(this.pid);
    within(this.#process.ended, channelCloseTimeoutMs, "").catch(() => this.#end("a closed channel"));
  }

  #read(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk);
    } catch (error) {
      this.#end(`bytes on its channel that are not a frame (${errorText(error)})`);
    }
    if (this.#hasReplied && this.isReady) this.#options.onEvent(this, { kind: "free" });
    this.#hasReplied = false;
  }

  #received(header: Header, body: Buffer): void {
    switch (header.kind) {
      case "hello":
        this.#hello.resolve(header);
        break;
      case "ready":
        this.#clockOffsetMs = header.clock / 1000 - performance.now();
        this.#ready.resolve(header);
        break;
      case "resolve":
        this.#resolve(header.id, body.toString());
        break;
      case "result":
      case "raised":
      case "rejected":
      case "returned":
        this.#replied(header, body);
        break;
      default:
        this.#end(`an unknown message "${String(header.kind).slice(0, 40)}" on its channel`);
    }
  }

  #resolve(id: number, name: string): void {
    const resolution = this.#options.functions.resolve(name);
    this.#writer.write({ id, kind: "resolved" }, [Buffer.from(JSON.stringify(resolution))]);
  }

  #replied(header: ReplyHeader, body: Buffer): void {
    const pending = this.#inFlight.first;
    // A call that was taken back is `returned` later; it isn't in flight any more.
    if (pending === undefined || header.id !== pending.frameId) return;
    // Before the call leaves the line: should a script have written the frame, the body may be anything.
    const reply = header.kind === "returned" ? undefined : parseReply(header, body);
    this.#inFlight.shift(reply === undefined ? undefined : header.took / 1000);
    this.#hasReplied = true;
    const { first } = this.#inFlight;
    if (first !== undefined) this.#output.setRunning(first.call.callId);
    if (reply === undefined) this.#options.onEvent(this, { kind: "returned", calls: [pending] });
    else pending.settle(reply);
    // The worker starts no call after a reply with leftovers.
    if (header.leftovers !== undefined)
      this.#end(`its call left ${header.leftovers} running`, { hasStarted: false });
  }

  #printed(callId: string | undefined, line: string): void {
    if (this.pid === undefined && this.#startOutput.length < quotedStartOutput)
      this.#startOutput += `${line}\n`;
    else this.#options.onEvent(this, { kind: "printed", callId, line });
  }
}
