// What every request gets: an id, a logger, a signal that fires when its client disconnects, the service's headers, and
// its line in the access log (access-log.ts). It uses Node's own request and response: Hono builds a Fetch Request or
// Response as soon as one is read, which takes longer than everything else in a small call.

import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { MiddlewareHandler } from "hono";
import type { Logger } from "../logging/logger.ts";
import { addressOf, createAccessLog } from "./access-log.ts";
import type { AppEnv } from "./types.ts";

/** X-Request-ID is used if it is safe in a log and a header: visible ASCII of a bounded length. */
const usableId = /^[\x21-\x7e]{1,128}$/;

/**
 * Gives the request its context, and its response `headers` and `X-Request-ID`, whatever the response will be. `check`
 * throws for a request that must not be believed (framing.ts).
 */
export function requestContext(
  headers: Readonly<Record<string, string>>,
  log: Logger,
  isLogDetailed: boolean,
  check: (request: IncomingMessage) => void,
): MiddlewareHandler<AppEnv> {
  const fixed = Object.entries(headers);
  const logAccess = createAccessLog(log, isLogDetailed);
  return function requestContext(c, next) {
    const { incoming, outgoing } = c.env;
    let startedMs = 0;
    if (logAccess !== undefined) {
      startedMs = performance.now();
      addressOf(incoming.socket); // once the client has gone it is unknown
    }
    const controller = new AbortController();
    const given = incoming.headers["x-request-id"];
    const callId = typeof given === "string" && usableId.test(given) ? given : randomUUID();
    outgoing.on("close", () => {
      const isGone = !outgoing.writableFinished;
      if (isGone) controller.abort();
      if (c.get("isSummedUp") !== true) logAccess?.(c, callId, startedMs, isGone);
    });
    for (const [name, value] of fixed) outgoing.setHeader(name, value);
    outgoing.setHeader("X-Request-ID", callId);
    c.set("callId", callId);
    c.set("log", log.inCall(callId));
    c.set("gone", controller.signal);
    check(incoming); // not a middleware of its own, which takes longer than the check
    return next();
  };
}
