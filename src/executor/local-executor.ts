// The executor of this machine: a pool of worker processes, and trial loads in processes beside it.

import type { Executor } from "./executor.ts";
import { Pool, type PoolOptions } from "./pool.ts";
import { TrialLoad } from "./trial-load.ts";

/** `loadTimeoutMs`: how long the trial load of an archive may take. */
export function createLocalExecutor(options: PoolOptions, loadTimeoutMs: number): Executor {
  const pool = new Pool(options);
  const { tryAlone, tryShared, endShared } = new TrialLoad(() => pool.startExtra(), loadTimeoutMs);
  return {
    name: "workers",
    start: () => pool.start(),
    stop: () => pool.stop(),
    execute: pool.execute,
    tryAlone,
    tryShared,
    endShared,
    interpreterFound: pool.interpreterFound,
  };
}
