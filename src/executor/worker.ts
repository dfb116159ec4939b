// One worker as the server sees it: a process, its channel, and the calls that it was sent. It has one state, one way
// out (`#end`), and tells the pool what happens by one callback. The other half is programs/worker/main.py.

import { randomBytes } from "node:crypto";
import QuickLRU from "quick-lru";
import { errorText, TabPyError } from "../errors.ts";
import { within } from "../lifecycle.ts";
import type { Held } from "../memory-account.ts";
import type { Model } from "../model.ts";
import { workerSources } from "../programs/sources.ts";
import type { PendingCall } from "./call.ts";
import { FrameDecoder, FrameWriter } from "./channel/frames.ts";
import {
  callHeader,
  type Header,
  leftoverTexts,
  parseModules,
  parseReply,
  type ReplyHeader,
} from "./channel/messages.ts";
import { OutputReader } from "./channel/script-output.ts";
import { readInTurns } from "./channel/turns.ts";
import type { Call } from "./executor.ts";
import { Handshake } from "./handshake.ts";
import { InFlight } from "./in-flight.ts";
import { Questions } from "./questions.ts";
import type { WorkerProcess } from "./process/spawn.ts";
import type { EndOptions, WorkerOptions } from "./worker-options.ts";

/** How long the channel may stay open after the process has ended, and the reverse. */
const channelCloseTimeoutMs = 1000;
/** How long a call may continue after its client has gone: most calls end sooner than a new worker would start. */
const cancelGraceMs = 100;

const sourcesBody = Buffer.from(JSON.stringify(workerSources));

type State = { kind: "starting" } | { kind: "ready" } | { kind: "ending"; reason: string };

export class Worker {
  /** Resolves when the process and everything that it started is gone. */
  readonly ended: Promise<unknown>;
  /** Process id of the worker, known when it is ready. */
  pid: number | undefined;
  /** Process id of its parent. */
  readonly reaperPid: number | undefined;
  /** Calls that this worker was sent. */
  callCount = 0;

  readonly #options: WorkerOptions;
  readonly #process: WorkerProcess;
  readonly #output: OutputReader;
  readonly #decoder: FrameDecoder;
  readonly #writer: FrameWriter;
  readonly #inFlight: InFlight;
  readonly #marker = randomBytes(12).toString("hex");
  readonly #key = randomBytes(16).toString("hex");
  readonly #handshake = new Handshake();
  readonly #questions: Questions;
  /** Frame ids of calls that were taken back; the worker will return them. */
  readonly #takenBack = new Set<number>();
  /** Name of a deployed function -> key of the archive that the worker has most likely loaded. */
  readonly #models: QuickLRU<string, string>;
  #state: State = { kind: "starting" };
  #hasReplied = false;
  #hasExited = false; // replies may still lie in the channel
  /** The worker's clock minus performance.now(), in milliseconds, or a little less. */
  #clockOffsetMs = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#models = new QuickLRU({ maxSize: options.settings.models });
    this.#process = options.spawn();
    this.ended = this.#process.ended;
    this.reaperPid = this.#process.pid;
    this.#output = new OutputReader(this.#process.log, this.#marker, (callId, line) =>
      this.#printed(callId, line),
    );
    this.#inFlight = new InFlight({
      onTimeLimit: () => this.#end("killed at the time limit of its call", { reply: { kind: "timed-out" } }),
      onExpired: (calls) => {
        for (const { frameId } of calls) this.#takenBack.add(frameId);
        options.onEvent(this, { kind: "returned", calls });
      },
      isReplyComing: () => this.#decoder.isFrameComing,
    });
    this.#writer = new FrameWriter(this.#process.input);
    this.#questions = new Questions({
      resolve: options.functions.resolve,
      answer: (id, body) => this.#writer.write({ id, kind: "resolved" }, [body]),
      isRead: () => !this.#writer.isFull,
    });
    this.#decoder = new FrameDecoder(
      (header, body, held) => this.#received(header, body, held),
      options.memory,
    );
    readInTurns(this.#process.output, (chunk) => this.#read(chunk));
    const outputClosed = new Promise<unknown>((resolve) => {
      this.#process.output.on("close", resolve).on("error", resolve);
    });
    outputClosed.then(() => this.#channelClosed());
    this.#process.input.on("error", () => this.#channelClosed());
    this.#process.ended.then(async (how) => {
      this.#hasExited = true;
      this.#handshake.ended(how);
      await within(outputClosed, channelCloseTimeoutMs, "").catch(() => {}); // replies may still be unread
      this.#end(how);
    });
  }

  get isBusy(): boolean {
    return this.runningCall !== undefined;
  }

  get runningCall(): PendingCall | undefined {
    return this.#inFlight.first;
  }

  /** Whether it was sent a call of this client that has not ended. */
  isHeldBy(client: string): boolean {
    return this.#inFlight.isHeldBy(client);
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
      const refusal = this.#options.refuse(await this.#handshake.hello());
      if (refusal !== undefined) throw new TabPyError("config", refusal);
      this.#decoder.requireKey(this.#key);
      const start = { key: this.#key, marker: this.#marker, ...this.#options.settings };
      this.#writer.write({ id: 0, kind: "start", ...start }, [sourcesBody]);
      const ready = await this.#handshake.ready();
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
    this.#inFlight.add(pending, ++this.callCount);
    pending.onAbort = () => setTimeout(() => this.#killCancelled(pending), cancelGraceMs);
    if (this.#inFlight.first === pending) this.#output.setRunning(pending.call.callId);
    const { call, frameId, notAfterMs } = pending;
    if (call.what.kind === "query" && call.what.model !== undefined)
      this.#models.set(call.what.model.name, call.what.model.key);
    const notAfter =
      notAfterMs === undefined ? undefined : Math.floor((notAfterMs + this.#clockOffsetMs) * 1000);
    this.#writer.write(callHeader(call, frameId, this.#options.functions.revision(), notAfter), call.body);
  }

  /** End the idle worker: it is asked to exit, and killed when that takes too long. */
  stop(reason = "it was stopped"): void {
    this.#end(reason, { isGraceful: true });
  }

  /** Kill the worker and everything that it started; the call that runs is lost. */
  kill(reason = "it was stopped"): void {
    this.#end(reason);
  }

  #killCancelled(pending: PendingCall): void {
    if (this.#inFlight.first !== pending) return;
    this.#end("killed with its cancelled call", { reply: { kind: "cancelled", wasStarted: true } });
  }

  /** The one way out. The call that runs gets `reply`, by default `lost`; the others are returned. */
  #end(reason: string, { reply, hasStarted = true, isGraceful = false }: EndOptions = {}): void {
    const wasReady = this.isReady;
    if (this.#state.kind !== "ending") this.#state = { kind: "ending", reason };
    this.#handshake.fail(reason);
    this.#questions.stop();
    this.#decoder.close();
    this.#writer.close();
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
    this.#questions.startChunk();
    try {
      this.#decoder.push(chunk);
    } catch (error) {
      this.#end(`bytes on its channel that are not a frame (${errorText(error)})`);
    }
    // No part of a frame may be left for the next call, which would wait for the rest.
    if (this.#decoder.isInsideFrame && this.isReady && !this.isBusy && this.#takenBack.size === 0)
      this.#end("a part of a message on its channel, while it runs no call");
    if (this.#hasReplied && this.isReady) this.#options.onEvent(this, { kind: "free" });
    this.#hasReplied = false;
  }

  /** Returns whether `held` is released later. */
  #received(header: Header, body: Buffer | undefined, held: Held | undefined): boolean {
    if (this.#state.kind === "ending") return false;
    switch (header.kind) {
      case "hello":
      case "ready":
        if (!this.#handshake.take(header)) this.#endOutOfTurn(header);
        else if (header.kind === "ready") this.#clockOffsetMs = header.clock / 1000 - performance.now();
        break;
      case "resolve":
        this.#asked(header, body);
        break;
      case "modules":
        this.#options.onEvent(this, { kind: "imported", isOwn: header.own, paths: parseModules(body) });
        break;
      case "result":
      case "raised":
      case "rejected":
      case "returned":
        return this.#replied(header, body, held);
      default:
        this.#end(`an unknown message "${String(header.kind).slice(0, 40)}" on its channel`);
    }
    return false;
  }

  #asked(header: Header, name: Buffer | undefined): void {
    const fault = this.#questions.take(header.id, name, this.runningCall?.frameId);
    if (fault !== undefined) this.#end(`${fault} on its channel`);
  }

  #replied(header: ReplyHeader, body: Buffer | undefined, held: Held | undefined): boolean {
    const pending = this.#inFlight.first;
    const isDue = header.kind !== "returned" || pending?.notAfterMs !== undefined; // only with a lease is a call returned
    if (pending === undefined || header.id !== pending.frameId || !isDue) {
      if (!this.#takenBack.delete(header.id)) this.#endOutOfTurn(header);
      return false;
    }
    // Before the call leaves the line: should a script have written the frame, the body may be anything.
    const reply = header.kind === "returned" ? undefined : parseReply(header, body, held);
    this.#inFlight.shift(reply === undefined ? undefined : header.took / 1000);
    this.#hasReplied = true;
    const { first } = this.#inFlight;
    if (first !== undefined) this.#output.setRunning(first.call.callId);
    let isTaken = false;
    if (reply === undefined) this.#options.onEvent(this, { kind: "returned", calls: [pending] });
    else isTaken = pending.settle(reply) && reply.kind === "result" && pending.call.what.kind !== "load";
    // The worker starts no call after a reply with leftovers.
    if (header.leftovers !== undefined)
      this.#end(`its call left ${leftoverTexts[header.leftovers]}`, { hasStarted: false });
    return isTaken;
  }

  /** A script has written to the channel. */
  #endOutOfTurn({ kind, id }: Header): void {
    const hasStarted = id !== this.#inFlight.lastRepliedId; // until its last reply is complete, the next call waits
    this.#end(`a message "${kind}" of call ${id} on its channel, out of turn`, { hasStarted });
  }

  #printed(callId: string | undefined, line: string): void {
    if (this.pid === undefined && this.#handshake.printed(line)) return;
    this.#options.onEvent(this, { kind: "printed", callId, line });
  }
}
