// The headers of the frames on a worker's channel, each request beside its reply. frames.ts has the format. To add a
// message: a type here, a row in the comments of frames.ts and frames.py, a branch in worker.ts and in
// programs/worker/main.py (for a question during a call, frames.py `ask`; for a kind of call, `callHeader` and `Call`).

import type { Held } from "../../memory-account.ts";
import type { Model } from "../../model.ts";
import type { Call, Reply } from "../executor.ts";

/** First frame from a fresh interpreter. */
export interface HelloHeader {
  readonly id: 0;
  readonly kind: "hello";
  /** Major, minor, micro. */
  readonly version: readonly [number, number, number];
  /** `cpython`, `pypy`, ... */
  readonly implementation: string;
  readonly executable: string;
}

/** Starts the worker program; body: JSON, {module name: source text}. */
export interface StartHeader {
  readonly id: 0;
  readonly kind: "start";
  /** What the headers of this worker begin with from now on. */
  readonly key: string;
  /** Prefix of the lines on the log pipe that mark which call printed what (script-output.ts). */
  readonly marker: string;
  /** Whether the worker may use orjson when its Python has it. */
  readonly orjson: boolean;
  /** Whether the worker keeps freed memory for the next call for a while. */
  readonly keepMemory: boolean;
  /** How many deployed functions it may keep loaded. */
  readonly models: number;
  /** The server's own URL on this machine, without a trailing slash: calls of it by the client library stay inside. */
  readonly url: string;
}

/** Reply to `start`: the worker waits for calls. */
export interface ReadyHeader {
  readonly id: 0;
  readonly kind: "ready";
  /** Process id of the worker; its parent, the reaper, has a different one. */
  readonly pid: number;
  /** The monotonic clock in microseconds, at the time of writing. */
  readonly clock: number;
}

interface CallHeader {
  readonly id: number;
  readonly callId: string;
  /** The lease of a call that is sent while another one runs (frames.ts). */
  readonly notAfter?: number;
  /** The worker may reuse earlier answers to `resolve` while this is the same. */
  readonly revision: number;
}

/** Runs a script; body: that of POST /evaluate. */
export interface EvaluateHeader extends CallHeader {
  readonly kind: "evaluate";
  /** The reply should contain the text of the function. */
  readonly function?: true;
}

/** Calls a deployed function; body: that of POST /query. Without a model only the body is checked. */
export interface QueryHeader extends CallHeader {
  readonly kind: "query";
  readonly model: Model | undefined;
}

/** Checks that an archive can be loaded. */
export interface LoadHeader extends CallHeader {
  readonly kind: "load";
  readonly model: Model;
}

/** What a call may leave that can't be restored (programs/worker/process_state.py, process_limits.py). */
export const leftoverTexts = {
  processes: "processes running",
  threads: "threads running",
  descriptors: "more than 100 file descriptors open",
  timers: "timers running",
  limits: "lowered resource limits",
} as const;

/** Ends a call. Body: the answer's JSON for `result`, a Raised for `raised`, a Rejected for `rejected`. */
export interface ReplyHeader {
  readonly id: number;
  readonly kind: "result" | "raised" | "rejected" | "returned";
  /** Microseconds from the start of the call to its reply, in the worker. */
  readonly took: number;
  /** What the call left; such a worker is replaced. */
  readonly leftovers?: keyof typeof leftoverTexts;
  /** Text of the function that was evaluated. */
  readonly function?: string;
  /** A quoted hash of a query's response. */
  readonly etag?: string;
}

/** Asks during a call which archive serves the name in the body. */
export interface ResolveHeader {
  readonly id: number;
  readonly kind: "resolve";
}

/** Tells which files the worker has imported since it last told; body: JSON, a list of absolute paths. */
export interface ModulesHeader {
  readonly id: 0;
  readonly kind: "modules";
  /** Whether one of them belongs to no installed package. */
  readonly own: boolean;
}

/** Reply to `resolve`; body: JSON of a Resolution. */
export interface ResolvedHeader {
  readonly id: number;
  readonly kind: "resolved";
}

export type Header =
  | HelloHeader
  | StartHeader
  | ReadyHeader
  | EvaluateHeader
  | QueryHeader
  | LoadHeader
  | ReplyHeader
  | ResolveHeader
  | ModulesHeader
  | ResolvedHeader;

/**
 * The header that sends a call.
 *
 * @param revision of the deployed functions. @param notAfter the lease, or undefined for an idle worker.
 */
export function callHeader(
  { what, callId }: Call,
  id: number,
  revision: number,
  notAfter: number | undefined,
): Header {
  const common = { id, callId, revision, ...(notAfter === undefined ? undefined : { notAfter }) };
  switch (what.kind) {
    case "evaluate":
      return {
        ...common,
        kind: "evaluate",
        ...(what.reportsFunction ? { function: true } : undefined),
      };
    case "query":
      return { ...common, kind: "query", model: what.model };
    case "load":
      return { ...common, kind: "load", model: what.model };
    default:
      return what satisfies never;
  }
}

/** The reply to a call, from its frame. Throws for a body that is not JSON where it must be. */
export function parseReply(header: ReplyHeader, body: Buffer | undefined, held: Held | undefined): Reply {
  if (body === undefined) return { kind: "too-large" };
  const text = header.function === undefined ? undefined : { function: header.function };
  if (header.kind === "result")
    return {
      kind: "result",
      body,
      ...(held === undefined ? undefined : { held }),
      ...(header.etag === undefined ? undefined : { etag: header.etag }),
      ...text,
    };
  const content = JSON.parse(body.toString());
  if (header.kind === "raised") return { kind: "raised", raised: content, ...text };
  return { kind: "rejected", rejected: content };
}

/** The paths of `modules`: none when there was no memory for the body. Throws for another body. */
export function parseModules(body: Buffer | undefined): readonly string[] {
  const paths: unknown = body === undefined ? [] : JSON.parse(body.toString());
  if (!Array.isArray(paths)) throw new Error("no list of paths");
  return paths.filter((path) => typeof path === "string");
}
