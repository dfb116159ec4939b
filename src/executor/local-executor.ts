// The executor of this machine: a pool of worker processes, and trial loads in processes beside it.

import type { Executor } from "./executor.ts";
import { Pool } from "./pool.ts";
import type { PoolOptions } from "./pool-options.ts";
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
    tryAlone: async (model) => {
      const fault = await tryAlone(model);
      if (fault === undefined) pool.renewForDeployment(model);
      return fault;
    },
    tryShared,
    endShared,
    renew: (reason) => pool.renew(reason),
    interpreterFound: pool.interpreterFound,
  };
}
