// What every request gets, whatever it asks for: an id, a logger, a signal for a client that has gone, the headers of
// the service, and its line in the log. It talks to Node's own request and answer: a Fetch Request or Response that is
// looked into is built first, which costs more than everything else on the way of a small call.

import { randomUUID } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import type { Logger } from "../logging/logger.ts";
import { logCaller } from "./caller.ts";
import type { AppEnv } from "./types.ts";

/** A request's own id is taken when it can stand in a log and a header: visible ASCII, not too long. */
const usableId = /^[\x21-\x7e]{1,128}$/;

/**
 * Names the request, watches its connection, and puts `headers` on its answer, whatever that will be. The answer has
 * the name as `X-Request-ID`. `isDetailed`: the log also names the caller (caller.ts).
 */
export function frame(
  headers: Readonly<Record<string, string>>,
  log: Logger,
  isDetailed: boolean,
): MiddlewareHandler<AppEnv> {
  const fixed = Object.entries(headers);
  const access = log.for("frame.ts").named("tabpy.access");
  const isLogged = access.isEnabled("INFO");
  return function frame(c, next) {
    const { incoming, outgoing } = c.env;
    const started = isLogged ? performance.now() : 0;
    const controller = new AbortController();
    const given = incoming.headers["x-request-id"];
    const callId = typeof given === "string" && usableId.test(given) ? given : randomUUID();
    outgoing.on("close", () => {
      const isGone = !outgoing.writableFinished;
      if (isGone) controller.abort();
      if (isDetailed) logCaller(c);
      if (!isLogged) return;
      const outcome = isGone ? "client gone" : outgoing.statusCode;
      const time = (performance.now() - started).toFixed(2);
      const bytes = outgoing.getHeader("content-length") ?? 0;
      access.inCall(callId).info(`${outcome} ${incoming.method} ${incoming.url} ${time} ms ${bytes} bytes`);
    });
    for (const [name, value] of fixed) outgoing.setHeader(name, value);
    outgoing.setHeader("X-Request-ID", callId);
    c.set("callId", callId);
    c.set("log", log.inCall(callId));
    c.set("gone", controller.signal);
    return next();
  };
}
