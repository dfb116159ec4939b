// The limit of open files (ulimit -n), as far as it concerns connections: each one is an open file. Past the limit
// nothing can be accepted, and the event loop would try again without end; so fewer connections are accepted than fit.
// The runtime has raised the soft limit to the hard one before this program starts.

import { readdirSync, readFileSync } from "node:fs";

/** Files for the log, the state folder, trial loads and static files. */
const reserve = 32;
/** Pipes of a worker, and of the one that replaces it while it ends. */
const filesOfWorker = 8;
/** Of what is left after that; the rest is for the files of uploads. */
const shareOfConnections = 0.75;
const minConnections = 8;
const warnEveryMs = 60_000;

export interface ConnectionBound {
  readonly maxConnections: number;
  /** Why there are fewer than wanted; undefined when there are not. */
  readonly warning: string | undefined;
}

/** `wanted`, or as many as fit below the limit of open files. Where there is no /proc, the limit isn't known. */
export function boundConnections(wanted: number, workers: number): ConnectionBound {
  const { limit, open } = openFiles();
  const left = limit - open - reserve - filesOfWorker * workers;
  const fitting = Math.max(minConnections, Math.floor(left * shareOfConnections));
  if (fitting >= wanted) return { maxConnections: wanted, warning: undefined };
  const enough = Math.ceil(wanted / shareOfConnections) + limit - left;
  return {
    maxConnections: fitting,
    warning: `Cannot accept TABPY_MAX_CONNECTIONS "${wanted}" connections, only ${fitting}: expected a limit of open files (ulimit -n, LimitNOFILE) of ${enough} or more instead of ${limit}`,
  };
}

function openFiles(): { limit: number; open: number } {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
    return { limit: Number(limit ?? Infinity), open: readdirSync("/proc/self/fd").length };
  } catch {
    return { limit: Infinity, open: 0 };
  }
}

/**
 * Counts refused connections, and reports them through `warn` once a minute at most. With an address, it was this one
 * that has too many.
 */
export function createRefusals(
  maxConnections: number,
  warn: (message: string) => void,
): (address?: string) => void {
  let count = 0;
  let nextMs = 0;
  return (address) => {
    count++;
    if (performance.now() < nextMs) return;
    nextMs = performance.now() + warnEveryMs;
    const full =
      address === undefined
        ? `All ${maxConnections} connections are in use`
        : `Too many of ${maxConnections} connections are those of ${address}`;
    warn(`${full}: further ones are closed at once, ${count} until now`);
  };
}
