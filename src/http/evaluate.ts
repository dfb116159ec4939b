// POST /evaluate: the body goes to a worker as it came, its result goes out as it came.

import type { Context } from "hono";
import { TabPyError } from "../errors.ts";
import type { Raised, Reply } from "../executor/channel/messages.ts";
import { bytesAnswer } from "./answers.ts";
import type { ReadBody } from "./body.ts";
import type { AppEnv, AppOptions } from "./types.ts";

/** Smaller answers fit into the buffers of the socket. */
const largeAnswerBytes = 1024 * 1024;
const failed = "Error processing script";
const disabled =
  "Ad-hoc scripts have been disabled on this analytics extension, please contact your administrator.";
const noResponse =
  "The endpoint you're trying to query did not respond. Please make sure the endpoint exists and the correct set of arguments are provided.";

/** The handler of POST /evaluate. */
export function evaluate(options: AppOptions, readBody: ReadBody): (c: Context<AppEnv>) => Promise<Response> {
  return async (c) => {
    if (!options.isEvaluateEnabled) throw new TabPyError("not-found", disabled);
    const gone = c.get("gone");
    const body = await readBody(c.env.incoming, gone);
    try {
      const reply = await options.execute({
        callId: c.get("callId"),
        what: { kind: "evaluate" },
        body: body.pieces,
        timeoutMs: options.evaluateTimeoutMs,
        signal: gone,
      });
      limitSending(c, reply, options.requestTimeoutMs);
      return answer(reply, options.evaluateTimeoutText);
    } finally {
      body.release();
    }
  };
}

/** A client that doesn't take its large answer must not hold it here for ever. */
export function limitSending(c: Context<AppEnv>, reply: Reply, timeoutMs: number): void {
  if (reply.kind !== "result" || reply.body.length <= largeAnswerBytes) return;
  const { socket } = c.env.incoming;
  socket.setTimeout(timeoutMs, () => socket.destroy());
}

function answer(reply: Reply, timeoutText: string): Response {
  switch (reply.kind) {
    case "result":
      return bytesAnswer(reply.body);
    case "raised":
      throw raisedError(reply.raised);
    case "rejected":
      throw new TabPyError("bad-request", reply.rejected.message, { info: reply.rejected.info });
    case "timed-out":
      throw new TabPyError("timeout", `User defined script timed out. Timeout is set to ${timeoutText} s.`);
    case "lost":
      throw new TabPyError("internal", failed, {
        info: `WorkerLost : the Python process that ran this script ended: ${reply.reason}`,
        details: { type: "WorkerLost", message: reply.reason, line: null, frames: [] },
      });
    case "cancelled":
      throw new TabPyError("bad-request", "The client has gone");
    default:
      return reply satisfies never;
  }
}

function raisedError(raised: Raised): TabPyError {
  if (raised.cause !== undefined) {
    const cause = typeof raised.cause === "string" ? raised.cause : JSON.stringify(raised.cause);
    return new TabPyError("not-found", failed, { info: `${cause}. ${noResponse}`, details: raised });
  }
  return new TabPyError("internal", failed, { info: `${raised.type} : ${raised.message}`, details: raised });
}
