// What the pool is made of. The settings are those of docs/settings.md.

import type { Logger } from "../logging/logger.ts";
import type { MemoryAccount } from "../memory-account.ts";
import type { Functions } from "./executor.ts";
import type { Command } from "./process/interpreter.ts";
import type { SpawnWorker } from "./process/spawn.ts";

export interface PoolOptions {
  /** Interpreters to try, in order; the first suitable one is used from then on. */
  readonly commands: readonly Command[];
  readonly spawn: (command: Command) => ReturnType<SpawnWorker>;
  readonly functions: Functions;
  /** Where results count. */
  readonly memory: MemoryAccount;
  /** The server's own URL on this machine, without a trailing slash. */
  readonly url: string;
  /** Deployed functions that each worker keeps loaded. */
  readonly workerModels: number;
  /** Workers to keep. */
  readonly size: number;
  /** Workers that the calls of one client may hold. */
  readonly workersPerUser: number;
  /** Calls that may wait for a worker. */
  readonly queueSize: number;
  readonly queueTimeoutMs: number;
  /** Calls after which a worker is replaced; 0 for never. */
  readonly workerMaxRequests: number;
  /** Resident bytes above which a worker is replaced, even during a call; 0 for never. */
  readonly workerMemoryBytes: number;
  /** Whether workers are replaced when a module file that they have imported changes. */
  readonly reloadModules: boolean;
  readonly log: Logger;
}
