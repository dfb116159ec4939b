// What POST /evaluate and /query/{name} have in common: read the body, run a call with it, and turn the reply into an
// answer. What each of them answers: evaluate.ts, query.ts.

import type { Socket } from "node:net";
import type { Context } from "hono";
import { networkOf } from "../auth/throttle.ts";
import { TabPyError } from "../errors.ts";
import type { Call, Execute, Raised, Reply } from "../executor/executor.ts";
import { addressOf } from "./access-log.ts";
import type { ReadBody } from "./body.ts";
import type { AppEnv } from "./types.ts";

/** Smaller answers fit into the buffers of the socket. */
const largeAnswerBytes = 1024 * 1024;
const network = Symbol("network of the client");

/** The answer for each kind of reply whose text depends on the resource. */
export interface Answers {
  readonly result: (reply: Extract<Reply, { kind: "result" }>) => Response;
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

/** @param sendTimeoutMs how long a client may pause while it reads a large answer. */
export function createHandleCall(execute: Execute, readBody: ReadBody, sendTimeoutMs: number): HandleCall {
  return async (c, run) => {
    const signal = c.get("gone");
    const body = await readBody(c.env.incoming, signal);
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
      limitSending(c, reply, sendTimeoutMs);
      return answer(reply, answers);
    } finally {
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

/** Close the connection of a client that doesn't read its large answer, which would stay in memory forever. */
function limitSending(c: Context<AppEnv>, reply: Reply, timeoutMs: number): void {
  if (reply.kind !== "result" || reply.body.length <= largeAnswerBytes) return;
  const { incoming, outgoing } = c.env;
  const destroy = () => incoming.socket.destroy();
  incoming.socket.setTimeout(timeoutMs, destroy);
  outgoing.once("close", () => incoming.socket.off("timeout", destroy));
}

function answer(reply: Reply, answers: Answers): Response {
  switch (reply.kind) {
    case "result":
      return answers.result(reply);
    case "raised":
      throw answers.raised(reply.raised);
    case "rejected":
      throw new TabPyError("bad-request", reply.rejected.message, { info: reply.rejected.info });
    case "timed-out":
      throw answers.timedOut();
    case "lost": {
      const { reason } = reply;
      throw answers.lost(reason, { type: "WorkerLost", message: reason, line: null, frames: [] });
    }
    case "cancelled":
      throw new TabPyError("bad-request", "The client has gone");
    default:
      return reply satisfies never;
  }
}
