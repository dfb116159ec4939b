// What POST /evaluate and /query/{name} have in common: read the body, run a call with it, and turn the reply into an
// answer. What each of them answers: evaluate.ts, query.ts.

import type { Socket } from "node:net";
import type { Context } from "hono";
import { networkOf } from "../auth/throttle.ts";
import { isLoopback } from "../config/hosts.ts";
import { TabPyError } from "../errors.ts";
import type { Call, Execute, Raised, Reply } from "../executor/executor.ts";
import type { Held } from "../memory-account.ts";
import { addressOf } from "./access-log.ts";
import { bytesAnswer } from "./answers.ts";
import { outOfMemory } from "./body-errors.ts";
import type { ReadBody } from "./body.ts";
import type { SendLarge } from "./large-answers.ts";
import type { AppEnv } from "./types.ts";

const origin = Symbol("where a connection comes from");

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
            ...originOf(c),
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

/** The client that takes turns with others: the user, or the address where there are no users. */
function originOf(c: Context<AppEnv>): Pick<Call, "client" | "connection"> {
  const socket: Socket & { [origin]?: ReturnType<typeof originOf> } = c.env.incoming.socket;
  socket[origin] ??= { client: networkOf(addressOf(socket)), ...localConnection(socket) };
  const user = c.get("user");
  return user === undefined ? socket[origin] : { ...socket[origin], client: user };
}

/** The ports of a connection of this machine, from which a script may call its own server. */
function localConnection(socket: Socket): Pick<Call, "connection"> {
  const { localAddress, remoteAddress, localPort, remotePort } = socket;
  if (localAddress === undefined || remoteAddress === undefined) return {};
  if (localPort === undefined || remotePort === undefined) return {};
  if (localAddress !== remoteAddress && !isLoopback(addressOf(socket))) return {};
  return { connection: { localPort, remotePort } };
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
