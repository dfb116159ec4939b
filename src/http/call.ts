// What POST /evaluate and /query/{name} have in common: read the body, run a call with it, and turn the reply into an
// answer. What each of them answers: evaluate.ts, query.ts.

import type { Socket } from "node:net";
import type { Context } from "hono";
import { networkOf } from "../auth/throttle.ts";
import { TabPyError } from "../errors.ts";
import type { Call, Execute, Raised, Reply } from "../executor/executor.ts";
import type { Held } from "../memory-account.ts";
import { addressOf } from "./access-log.ts";
import { bytesAnswer } from "./answers.ts";
import { outOfMemory } from "./body-errors.ts";
import type { ReadBody } from "./body.ts";
import type { SendLarge } from "./large-answers.ts";
import type { AppEnv } from "./types.ts";

const network = Symbol("network of the client");

type Result = Extract<Reply, { kind: "result" }>;

/** The answer for each kind of reply whose text depends on the resource. */
export interface Answers {
  /** Further headers of the answer; throws when there should be no result. */
  readonly result: (reply: Result) => Readonly<Record<string, string>>;
  readonly raised: (raised: Raised) => TabPyError;
  readonly timedOut: () => TabPyError;
  /** `details` has the form of a Raised. */
  readonly lost: (reason: string, details: unknown) => TabPyError;
}

/** Runs one call with the body of the request. */
type RunWithBody = (what: Call["what"], timeoutMs: number | undefined) => Promise<Reply>;

/**
 * Handles a request: `run` runs its call, a second time if need be, and returns how to answer. It also gets the body,
 * which is kept until the answer is made.
 */
export type HandleCall = (
  c: Context<AppEnv>,
  run: (execute: RunWithBody, body: readonly Buffer[]) => Promise<{ reply: Reply; answers: Answers }>,
) => Promise<Response>;

/** @param sendLarge sends results that count in the memory account. */
export function createHandleCall(execute: Execute, readBody: ReadBody, sendLarge: SendLarge): HandleCall {
  return async (c, run) => {
    const signal = c.get("gone");
    const body = await readBody(c.env.incoming, signal);
    let held: Held | undefined;
    try {
      const { reply, answers } = await run(
        (what, timeoutMs) =>
          execute({
            client: clientOf(c),
            callId: c.get("callId"),
            what,
            body: body.pieces,
            timeoutMs,
            signal,
          }),
        body.pieces,
      );
      body.release();
      if (reply.kind !== "result") throw failure(reply, answers);
      held = reply.held;
      const headers = { "Content-Type": "application/json", ...answers.result(reply) };
      if (held === undefined) return bytesAnswer(reply.body, 200, headers);
      return await sendLarge(c, reply.body, headers, held);
    } finally {
      held?.release();
      body.release();
    }
  };
}

/** The user, or the address where there are no users; it is kept with the connection. */
function clientOf(c: Context<AppEnv>): string {
  const user = c.get("user");
  if (user !== undefined) return user;
  const socket: Socket & { [network]?: string } = c.env.incoming.socket;
  socket[network] ??= networkOf(addressOf(socket));
  return socket[network];
}

function failure(reply: Exclude<Reply, Result>, answers: Answers): TabPyError {
  switch (reply.kind) {
    case "raised":
      return answers.raised(reply.raised);
    case "rejected":
      return new TabPyError("bad-request", reply.rejected.message, { info: reply.rejected.info });
    case "too-large":
      return outOfMemory();
    case "timed-out":
      return answers.timedOut();
    case "lost": {
      const { reason } = reply;
      return answers.lost(reason, { type: "WorkerLost", message: reason, line: null, frames: [] });
    }
    case "cancelled":
      return new TabPyError("bad-request", "The client has gone");
    default:
      return reply satisfies never;
  }
}
