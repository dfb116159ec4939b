// POST /evaluate: the body goes unchanged to a worker, and its result to the client.

import type { Context } from "hono";
import { TabPyError } from "../errors.ts";
import type { Raised, Reply } from "../executor/executor.ts";
import type { Answers, HandleCall } from "./call.ts";
import { functionText } from "./function-text.ts";
import type { AppEnv, AppOptions } from "./types.ts";

const failed = "Error processing script";
const disabled =
  "Ad-hoc scripts have been disabled on this analytics extension, please contact your administrator.";
const noResponse =
  "The endpoint you're trying to query did not respond. Please make sure the endpoint exists and the correct set of arguments are provided.";

/** The handler of POST /evaluate. */
export function evaluate(
  { evaluate: { isEnabled, timeoutMs, timeoutText }, log }: AppOptions,
  handleCall: HandleCall,
): (c: Context<AppEnv>) => Promise<Response> {
  const functionLog = log.for("evaluate.ts");
  const reportsFunction = functionLog.isEnabled("INFO");
  const answers: Answers = {
    result: () => ({}),
    raised: raisedError,
    timedOut: () =>
      new TabPyError("timeout", `User defined script timed out. Timeout is set to ${timeoutText} s.`),
    lost: (reason, details) =>
      new TabPyError("internal", failed, {
        info: `WorkerLost : the Python process that ran this script ended: ${reason}`,
        details,
      }),
  };
  return async (c) => {
    if (!isEnabled) throw new TabPyError("not-found", disabled);
    return handleCall(c, async (execute, body) => {
      const reply = await execute({ kind: "evaluate", reportsFunction }, timeoutMs);
      const text = reportsFunction ? evaluatedFunction(reply, body) : undefined;
      if (text !== undefined) functionLog.inCall(c.get("callId")).info(`function to evaluate=${text}`);
      return { reply, answers };
    });
  };
}

/** The text of the function that ran: from the worker, or from the body when the worker was killed or lost. */
function evaluatedFunction(reply: Reply, body: readonly Buffer[]): string | undefined {
  switch (reply.kind) {
    case "result":
    case "raised":
      return reply.function;
    case "too-large":
    case "timed-out":
    case "lost":
      return functionText(body);
    case "cancelled":
      return reply.wasStarted ? functionText(body) : undefined;
    case "rejected":
      return undefined;
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
