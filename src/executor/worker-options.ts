// What a worker is made of, how it ends, and what it tells the pool. worker.ts is the worker itself.

import type { MemoryAccount } from "../memory-account.ts";
import type { PendingCall } from "./call.ts";
import type { HelloHeader, StartHeader } from "./channel/messages.ts";
import type { Functions, Reply } from "./executor.ts";
import type { SpawnWorker } from "./process/spawn.ts";
import type { Worker } from "./worker.ts";

export interface WorkerOptions {
  readonly spawn: SpawnWorker;
  readonly settings: Pick<StartHeader, "orjson" | "keepMemory" | "models" | "url">;
  readonly functions: Functions;
  /** Where results count. */
  readonly memory: MemoryAccount;
  /** Why an interpreter can't be used; undefined when it can. */
  readonly refuse: (hello: HelloHeader) => string | undefined;
  readonly onEvent: (worker: Worker, event: WorkerEvent) => void;
}

/** How a worker ends. */
export interface EndOptions {
  /** The reply to the call that runs, by default `lost`. */
  readonly reply?: Reply;
  /** Whether the first call in flight has started. */
  readonly hasStarted?: boolean;
  readonly isGraceful?: boolean;
}

/** What the pool is told about a worker. */
export type WorkerEvent =
  /** It has replied and can take another call. */
  | { readonly kind: "free" }
  /** It was sent these calls and will not start them. */
  | { readonly kind: "returned"; readonly calls: readonly PendingCall[] }
  /** It has imported files for the first time; `isOwn`: one of them belongs to no installed package. */
  | { readonly kind: "imported"; readonly isOwn: boolean; readonly paths: readonly string[] }
  /** It was ready and can't take calls any more. */
  | { readonly kind: "lost"; readonly reason: string }
  /** A line that a script printed; `callId` is undefined outside of calls. */
  | { readonly kind: "printed"; readonly callId: string | undefined; readonly line: string };

/** How a worker ends. */
export interface EndOptions {
  /** To the call that runs. */
  readonly reply?: Reply;
  /** Whether the first call in flight has started. */
  readonly hasStarted?: boolean;
  readonly isGraceful?: boolean;
}
