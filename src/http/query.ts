// GET and POST /query/{name}: the body goes to a worker with the archive that serves the name; the worker writes the
// whole answer.

import type { Context } from "hono";
import { TabPyError } from "../errors.ts";
import type { Reply } from "../executor/channel/messages.ts";
import type { Resolution } from "../model.ts";
import { bytesAnswer } from "./answers.ts";
import type { ReadBody } from "./body.ts";
import { limitSending } from "./evaluate.ts";
import type { AppEnv, AppOptions } from "./types.ts";

/** How long a call waits for the load of what has replaced its archive. */
const loadWaitMs = 5000;

/** The handler of /query/{name}. */
export function query(options: AppOptions, readBody: ReadBody): (c: Context<AppEnv>) => Promise<Response> {
  return async (c) => {
    const name = c.req.param("name") ?? "";
    const gone = c.get("gone");
    const body = await readBody(c.env.incoming, gone);
    try {
      const call = (resolution: Resolution) =>
        options.execute({
          callId: c.get("callId"),
          what: { kind: "query", model: resolution.kind === "model" ? resolution.model : undefined },
          body: body.pieces,
          timeoutMs: options.queryTimeoutMs,
          signal: gone,
        });
      let resolution = await resolve(options, name);
      let reply = await call(resolution);
      if (reply.kind === "raised" && reply.raised.isNotLoaded) {
        // It may have been replaced while the call waited for a worker, here or by another server on the same folder,
        // and its archive removed.
        await options.endpoints.refresh();
        await options.endpoints.settled(
          loadWaitMs,
          resolution.kind === "model" ? resolution.model.name : name,
        );
        const now = options.endpoints.resolve(name);
        if (keyOf(now) !== keyOf(resolution)) {
          resolution = now;
          reply = await call(now);
        }
      }
      limitSending(c, reply, options.requestTimeoutMs);
      return answer(reply, name, resolution, options.queryTimeoutText);
    } finally {
      body.release();
    }
  };
}

/** What another process has deployed is looked for before a name is called unknown. */
async function resolve({ endpoints }: AppOptions, name: string): Promise<Resolution> {
  const resolution = endpoints.resolve(name);
  if (resolution.kind !== "unknown") return resolution;
  await endpoints.refresh();
  return endpoints.resolve(name);
}

function keyOf(resolution: Resolution): string | undefined {
  return resolution.kind === "model" ? resolution.model.key : undefined;
}

function answer(reply: Reply, name: string, resolution: Resolution, timeoutText: string): Response {
  switch (reply.kind) {
    case "result":
      if (resolution.kind === "unknown") {
        throw new TabPyError("not-found", "UnknownURI", { info: `Endpoint '${name}' does not exist` });
      }
      if (resolution.kind === "unusable") throw failed(resolution.name, resolution.reason);
      return bytesAnswer(reply.body, 200, reply.etag === undefined ? {} : { Etag: reply.etag });
    case "rejected":
      throw new TabPyError("bad-request", reply.rejected.message, { info: reply.rejected.info });
    case "raised": {
      const { raised } = reply;
      const called = resolution.kind === "model" ? resolution.model.name : name;
      if (raised.isNotLoaded) {
        const reason = `There is no query object associated to the endpoint: ${called}`;
        throw failed(called, reason, raised);
      }
      throw failed(called, `${raised.type} : ${raised.message}`, raised);
    }
    case "timed-out":
      throw new TabPyError("timeout", `Function '${name}' timed out. Timeout is set to ${timeoutText} s.`);
    case "lost":
      throw failed(name, `WorkerLost : the Python process that ran this function ended: ${reply.reason}`, {
        type: "WorkerLost",
        message: reply.reason,
        line: null,
        frames: [],
      });
    case "cancelled":
      throw new TabPyError("bad-request", "The client has gone");
    default:
      return reply satisfies never;
  }
}

function failed(name: string, error: string, details?: unknown): TabPyError {
  const info = { uri: name, error, type: "QueryFailed" };
  return new TabPyError("internal", `Error querying function '${name}'`, { info, details });
}
