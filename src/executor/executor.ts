// All that the rest of the program knows about running calls: the Executor, a call, and its reply. The local pool of
// worker processes (local-executor.ts) is one executor; nothing here assumes that a worker runs on this machine.

import type { Service } from "../lifecycle.ts";
import type { Held } from "../memory-account.ts";
import type { Model, Resolution } from "../model.ts";

/** Runs calls. Started and stopped with the server; `stop` settles every call that is left. */
export interface Executor extends Service {
  /** Run a call. Throws TabPyError `unavailable` (503) when no worker can take it in time. */
  readonly execute: Execute;
  /** Load an archive in a process of its own; resolves with what is wrong with the archive, or undefined. */
  readonly tryAlone: (model: Model) => Promise<string | undefined>;
  /** The same in a process kept for the next such load: for archives that have served before, one at a time. */
  readonly tryShared: (model: Model) => Promise<string | undefined>;
  /** To be called when no `tryShared` follows for now; ends that process. */
  readonly endShared: () => void;
  /** Replace the processes in which code is loaded, in turn: it may have changed. */
  readonly renew: (reason: string) => void;
  /** Resolves when Python was found and can run scripts; rejects (TabPyError `config`) when there is none. */
  readonly interpreterFound: Promise<void>;
}

/** The ports of a connection between two processes of this machine, as the server sees it. */
export interface LocalConnection {
  readonly remotePort: number;
  readonly localPort: number;
  /** Set by the executor once it knows that no script has opened the connection. */
  isOutside?: boolean;
}

export type Execute = (call: Call) => Promise<Reply>;

/** What scripts may ask about deployed functions. */
export interface Functions {
  /** Changes whenever `resolve` could give a different result for some name. */
  readonly revision: () => number;
  readonly resolve: (name: string) => Resolution;
}

/** One call. It is self-contained: a worker needs nothing else but the archive's file. */
export interface Call {
  /** Who takes turns with other clients while calls wait: a user or an address. */
  readonly client?: string;
  /** Set when the call comes from this machine: perhaps from inside a script. */
  readonly connection?: LocalConnection;
  /** Logged beside what the script prints; the `uuid` of a query's result. Visible ASCII. */
  readonly callId: string;
  /** `reportsFunction`: the reply has the text of the function that the script becomes. */
  readonly what:
    | { readonly kind: "evaluate"; readonly reportsFunction: boolean }
    /** Without a model only the body is checked, and the result is empty. */
    | { readonly kind: "query"; readonly model: Model | undefined }
    | { readonly kind: "load"; readonly model: Model };
  /** In the pieces in which it arrived: joining large ones takes time. */
  readonly body: readonly Uint8Array[];
  /** Milliseconds from the moment that a worker starts the call; undefined for no limit. */
  readonly timeoutMs: number | undefined;
  /** Fires when nobody waits for the reply any more. */
  readonly signal: AbortSignal;
}

/** The outcome of a call. Scripts that fail are data; only faults around a call are thrown (TabPyError). */
export type Reply =
  | {
      readonly kind: "result";
      readonly body: Buffer;
      /** Of a large body; to be released by whoever gets the reply. */
      readonly held?: Held;
      readonly etag?: string;
      readonly function?: string;
    }
  | { readonly kind: "raised"; readonly raised: Raised; readonly function?: string }
  | { readonly kind: "rejected"; readonly rejected: Rejected }
  /** There was no memory for the result or the error. */
  | { readonly kind: "too-large" }
  | { readonly kind: "timed-out" }
  /** The call's signal fired, before or after a worker had started it. */
  | { readonly kind: "cancelled"; readonly wasStarted: boolean }
  /** The worker process ended during the call; `reason` tells how. */
  | { readonly kind: "lost"; readonly reason: string };

/** What a script raised. */
export interface Raised {
  readonly type: string;
  readonly message: string;
  /** Line of the user's script, or null when the error has none. */
  readonly line: number | null;
  /** The script's own frames of the traceback, outermost first. */
  readonly frames: readonly ScriptFrame[];
  /** Path of the Python that lacks the module. */
  readonly interpreter?: string;
  /** Why the `tabpy.query` failed whose `response` the script read. */
  readonly cause?: unknown;
  /** The archive of the function can't be loaded; `message` tells why. */
  readonly isNotLoaded?: true;
}

export interface ScriptFrame {
  readonly line: number;
  readonly function: string;
  readonly text: string;
}

/** Why a request is malformed: the members of the error body. */
export interface Rejected {
  readonly message: string;
  readonly info: unknown;
}

/** Length of a body in pieces. */
export function byteLength(pieces: readonly Uint8Array[]): number {
  let sum = 0;
  for (const piece of pieces) sum += piece.length;
  return sum;
}
