// GET and POST /query/{name}: the body goes to a worker with the archive that serves the name; the worker writes the
// whole answer.

import type { Context } from "hono";
import { TabPyError } from "../errors.ts";
import type { Reply } from "../executor/executor.ts";
import type { Resolution } from "../model.ts";
import type { Answers, HandleCall } from "./call.ts";
import type { AppEnv, AppOptions } from "./types.ts";

/** How long a call waits for the load of the archive that has replaced its own. */
const loadWaitMs = 5000;

/** The handler of /query/{name}. */
export function query(
  { endpoints, query: { timeoutMs, timeoutText } }: AppOptions,
  handleCall: HandleCall,
): (c: Context<AppEnv>) => Promise<Response> {
  /** Before a name is reported as unknown, checks again what another process has deployed. */
  const resolve = async (name: string): Promise<Resolution> => {
    const resolution = await endpoints.resolveCurrent(name);
    if (resolution.kind !== "unknown") return resolution;
    await endpoints.refresh();
    return endpoints.resolve(name);
  };

  return (c) =>
    handleCall(c, async (execute) => {
      const name = c.req.param("name") ?? "";
      const call = (resolution: Resolution) =>
        execute({ kind: "query", model: modelOf(resolution) }, timeoutMs);
      let resolution = await resolve(name);
      let reply = await call(resolution);
      if (reply.kind === "raised" && reply.raised.isNotLoaded) {
        // It may have been replaced while the call waited for a worker, here or by another server on the same folder,
        // and its archive removed.
        await endpoints.refresh();
        await endpoints.settled(loadWaitMs, modelOf(resolution)?.name ?? name);
        const now = endpoints.resolve(name);
        if (modelOf(now)?.key !== modelOf(resolution)?.key) {
          resolution = now;
          reply = await call(now);
        }
      }
      refuseFailed(name, resolution, reply);
      return { reply, answers: answersFor(name, resolution, timeoutText) };
    });
}

function modelOf(resolution: Resolution) {
  return resolution.kind === "model" ? resolution.model : undefined;
}

/** Throws for a body that only the type of `data` makes wrong: an unknown name weighs more (worker/queries.py). */
function refuseFailed(name: string, resolution: Resolution, reply: Reply): void {
  if (reply.kind !== "rejected" || reply.rejected.info !== "QueryFailed") return;
  if (resolution.kind === "unknown") throw unknown(name);
  throw failed(resolution.kind === "model" ? resolution.model.name : resolution.name, reply.rejected.message);
}

function answersFor(name: string, resolution: Resolution, timeoutText: string): Answers {
  const called = modelOf(resolution)?.name ?? name;
  return {
    result: ({ etag }) => {
      if (resolution.kind === "unknown") throw unknown(name);
      if (resolution.kind === "unusable") throw failed(resolution.name, resolution.reason);
      return etag === undefined ? {} : { Etag: etag };
    },
    raised: (raised) =>
      raised.isNotLoaded
        ? failed(called, `There is no query object associated to the endpoint: ${called}`, raised)
        : failed(called, `${raised.type} : ${raised.message}`, raised),
    timedOut: () =>
      new TabPyError("timeout", `Function '${name}' timed out. Timeout is set to ${timeoutText} s.`),
    lost: (reason, details) =>
      failed(name, `WorkerLost : the Python process that ran this function ended: ${reason}`, details),
  };
}

function unknown(name: string): TabPyError {
  return new TabPyError("not-found", "UnknownURI", { info: `Endpoint '${name}' does not exist` });
}

function failed(name: string, error: string, details?: unknown): TabPyError {
  const info = { uri: name, error, type: "QueryFailed" };
  return new TabPyError("internal", `Error querying function '${name}'`, { info, details });
}
