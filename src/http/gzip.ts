// Compresses responses for clients that accept gzip, from 1 KiB on: smaller ones would gain nothing. hono/compress has no
// option for the level, and streams the body, which loses its Content-Length. Large results: large-answers.ts.

import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gzip as compress, constants } from "node:zlib";
import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./types.ts";

const deflate = promisify(compress);
const minBytes = 1024;
const acceptsGzip = /(^|[\s,])(gzip|\*)\s*(;\s*q=(0\.\d*[1-9]\d*|1(\.0*)?)\s*)?($|,)/i;

/** Compresses responses on a thread of Node's pool, at zlib's fastest level. */
export function gzip(): MiddlewareHandler<AppEnv> {
  return async function gzip(c, next) {
    if (!isGzipAccepted(c.env.incoming)) return next();
    await next();
    // Every response has a Content-Length; small ones are passed on unchanged.
    if (Number(c.res.headers.get("Content-Length") ?? 0) < minBytes || c.res.headers.has("Content-Encoding"))
      return;
    const packed = await deflate(await c.res.arrayBuffer(), { level: constants.Z_BEST_SPEED });
    const headers = new Headers(c.res.headers);
    headers.set("Content-Encoding", "gzip");
    headers.set("Content-Length", String(packed.length));
    const status = c.res.status;
    c.res = undefined; // otherwise Hono merges the old headers into the new ones
    c.res = new Response(packed, { status, headers });
  };
}

/** Whether the client takes answers in gzip. */
export function isGzipAccepted({ headers }: IncomingMessage): boolean {
  const accepted = headers["accept-encoding"];
  return typeof accepted === "string" && acceptsGzip.test(accepted);
}
