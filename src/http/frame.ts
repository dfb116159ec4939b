// What every request gets, whatever it asks for: an id, a signal for a client that has gone, the headers of the
// service, and its line in the log. It talks to Node's own request and answer: a Fetch Request or Response that is
// looked into is built first, which costs more than everything else on the way of a small call.

import { randomUUID } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import type { Logger } from "../logging/logger.ts";
import type { AppEnv } from "./types.ts";

/** Names the request, watches its connection, and puts `headers` on its answer, whatever that will be. */
export function frame(headers: Readonly<Record<string, string>>, log: Logger): MiddlewareHandler<AppEnv> {
  const fixed = Object.entries(headers);
  const isLogged = log.isEnabled("INFO");
  return function frame(c, next) {
    const { incoming, outgoing } = c.env;
    const started = isLogged ? performance.now() : 0;
    const controller = new AbortController();
    outgoing.on("close", () => {
      const isGone = !outgoing.writableFinished;
      if (isGone) controller.abort();
      if (!isLogged) return;
      const outcome = isGone ? "client gone" : outgoing.statusCode;
      log.info(
        `${outcome} ${incoming.method} ${incoming.url} ${(performance.now() - started).toFixed(2)} ms`,
      );
    });
    for (const [name, value] of fixed) outgoing.setHeader(name, value);
    c.set("callId", randomUUID());
    c.set("gone", controller.signal);
    return next();
  };
}
