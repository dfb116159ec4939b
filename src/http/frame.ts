// What every request gets, whatever it asks for: an id, a signal for a client that has gone, the headers of the
// service, and its line in the log.

import { randomUUID } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import type { Logger } from "../logging/logger.ts";
import type { AppEnv } from "./types.ts";

/** Answers up to this size fit into the socket's buffer: a client that doesn't read them costs nothing. */
const largeAnswerBytes = 64 * 1024;

/** Names the request and watches its connection. */
export function frame(answerTimeoutMs: number, log: Logger): MiddlewareHandler<AppEnv> {
  const isLogged = log.isEnabled("INFO");
  return async function frame(c, next) {
    const { incoming, outgoing } = c.env;
    const started = performance.now();
    const controller = new AbortController();
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) controller.abort();
    });
    c.set("callId", randomUUID());
    c.set("gone", controller.signal);
    await next();
    if (Number(c.res.headers.get("Content-Length") ?? 0) > largeAnswerBytes) {
      incoming.socket.setTimeout(answerTimeoutMs, () => incoming.socket.destroy());
    }
    if (!isLogged) return;
    const status = controller.signal.aborted ? "client gone" : c.res.status;
    log.info(`${status} ${c.req.method} ${c.req.path} ${(performance.now() - started).toFixed(2)} ms`);
  };
}

/** Puts CORS headers of the state file and `Vary` on every answer, errors too. */
export function serviceHeaders(corsHeaders: Readonly<Record<string, string>>): MiddlewareHandler<AppEnv> {
  const headers = [["Vary", "Accept-Encoding"], ...Object.entries(corsHeaders)] as const;
  return async function serviceHeaders(c, next) {
    await next();
    for (const [name, value] of headers) if (name && value) c.res.headers.set(name, value);
  };
}
