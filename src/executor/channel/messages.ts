// What travels on the channel (frames.ts), and what a call comes to. The Python side is programs/worker/main.py.

import type { Model } from "../../model.ts";

/** Starts a worker program; the body is JSON, {module name: source text}. */
export interface StartHeader {
  readonly id: 0;
  readonly kind: "start";
  /** Opens the lines that mark which call printed what (script-output.ts). */
  readonly marker: string;
  /** Whether the worker may use orjson when its Python has it. */
  readonly orjson: boolean;
  /** Whether the worker keeps memory that a call has freed, for a moment, for the next one. */
  readonly keepMemory: boolean;
  /** Whether the worker says before each call, on its log pipe, which function it evaluates. */
  readonly announce?: boolean;
  /** How many deployed functions it may keep loaded. */
  readonly models: number;
}

/** Runs a script; the body is that of POST /evaluate. */
export interface EvaluateHeader {
  readonly id: number;
  readonly kind: "evaluate";
  /** Of the registry: what the worker was told of names holds as long as it is the same. */
  readonly revision: number;
  /** Set when another call may still run: begin before this instant or not at all (frames.ts). */
  readonly notAfter?: number;
}

/** Calls a deployed function; the body is that of POST /query. */
export interface QueryHeader {
  readonly id: number;
  readonly kind: "query";
  /** Undefined when no function has the name: then only the body is looked at. */
  readonly model: Model | undefined;
  /** The `uuid` of the answer. */
  readonly uuid: string;
  readonly notAfter?: number;
}

/** Loads an archive to see whether that is possible. */
export interface LoadHeader {
  readonly id: number;
  readonly kind: "load";
  readonly model: Model;
  readonly notAfter?: number;
}

/** The answer to a `resolve`; the body is the JSON of a `Resolution`. */
export interface ResolvedHeader {
  readonly id: number;
  readonly kind: "resolved";
}

/** The first words of an interpreter. */
export interface HelloHeader {
  readonly id: 0;
  readonly kind: "hello";
  /** Major, minor, micro. */
  readonly version: readonly [number, number, number];
  /** `cpython`, `pypy`, ... */
  readonly implementation: string;
  readonly executable: string;
}

/** The worker waits for calls. */
export interface ReadyHeader {
  readonly id: 0;
  readonly kind: "ready";
  /** Process id of the worker itself; the keeper above it has another. */
  readonly pid: number;
  /** The monotonic clock in microseconds, at the time of writing. */
  readonly clock: number;
}

/** Asks in the middle of a call which archive serves the name in the body. */
export interface ResolveHeader {
  readonly id: number;
  readonly kind: "resolve";
}

/** The end of a call. */
export interface ReplyHeader {
  readonly id: number;
  readonly kind: "result" | "raised" | "rejected" | "returned";
  /** Microseconds from the call's begin to its answer, in the worker. */
  readonly took: number;
  /** What the call left running; such a worker is not used again. */
  readonly leftovers?: "processes" | "threads";
  /** The function that the call evaluated, where the log pipe has not said it: its text and a number, then the number. */
  readonly function?: number | readonly [number: number, text: string];
  /** A quoted hash of a query's response. */
  readonly etag?: string;
}

export type Header =
  | StartHeader
  | EvaluateHeader
  | QueryHeader
  | LoadHeader
  | ResolvedHeader
  | HelloHeader
  | ReadyHeader
  | ResolveHeader
  | ReplyHeader;

/** A frame inside the script, outermost first in a list. */
export interface ScriptFrame {
  readonly line: number;
  readonly function: string;
  readonly text: string;
}

/** Body of a `raised` frame. */
export interface Raised {
  readonly type: string;
  readonly message: string;
  /** Line of the user's script, or null when the error is not at a line. */
  readonly line: number | null;
  readonly frames: readonly ScriptFrame[];
  /** Path of the Python that looked for a missing module. */
  readonly interpreter?: string;
  /** Why a `tabpy.query` failed whose `response` was asked for. */
  readonly cause?: unknown;
  /** The archive of the function can't be loaded; `message` says why. */
  readonly isNotLoaded?: true;
}

/** Body of a `rejected` frame. */
export interface Rejected {
  readonly message: string;
  readonly info: unknown;
}

/** What a call comes to. Scripts that fail are data; only faults around a call are thrown (TabPyError). */
export type Reply =
  | { readonly kind: "result"; readonly body: Buffer; readonly etag?: string | undefined }
  | { readonly kind: "raised"; readonly raised: Raised }
  | { readonly kind: "rejected"; readonly rejected: Rejected }
  | { readonly kind: "timed-out" }
  /** The caller's signal fired: nobody waits for the answer. */
  | { readonly kind: "cancelled" }
  /** The worker process ended during the call; `reason` says how. */
  | { readonly kind: "lost"; readonly reason: string };

/** One call for a worker. */
export interface Call {
  /** Shown in the log beside what the script prints; the `uuid` of a query's answer. */
  readonly callId: string;
  readonly what:
    | { readonly kind: "evaluate" }
    | { readonly kind: "query"; readonly model: Model | undefined }
    | { readonly kind: "load"; readonly model: Model };
  /** In the pieces that it came in: to join large ones takes time. */
  readonly body: readonly Uint8Array[];
  /** Milliseconds from the moment that a worker takes the call; undefined for no limit. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
}

/** Runs a call in some worker. Throws TabPyError `unavailable` when none can take it. */
export type Execute = (call: Call) => Promise<Reply>;
