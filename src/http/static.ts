// The page at /, or the files of TABPY_STATIC_PATH instead. No path leads out of that folder, whether by "..", by
// percent-encoding or by a symbolic link.

import { realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { serveStatic } from "@hono/node-server/serve-static";
import type { Context, MiddlewareHandler } from "hono";
import { TabPyError } from "../errors.ts";
import { contentSecurityPolicy, type PageData, renderPage } from "../web/page.ts";
import type { AppEnv } from "./types.ts";

/** Headers of every response that a browser displays. */
const browserHeaders = { "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer" };

/** The handler of / and /index.html. */
export function page(data: () => PageData): (c: Context<AppEnv>) => Response {
  return (c) => {
    const body = Buffer.from(renderPage(data()));
    return c.body(body as Buffer<ArrayBuffer>, 200, {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Length": String(body.length),
      "Content-Security-Policy": contentSecurityPolicy,
      "Cache-Control": "no-store",
      ...browserHeaders,
    });
  };
}

/** Serves the files below `folder` at URLs below `prefix`. */
export function files(folder: string, prefix: string): MiddlewareHandler<AppEnv> {
  const serve = serveStatic<AppEnv>({
    root: folder,
    rewriteRequestPath: (path) => path.slice(prefix.length),
  });
  return async function files(c, next) {
    const path = decodePath(c.req.path.slice(prefix.length));
    const root = await realpath(folder);
    const target = await realpath(join(root, path)).catch(() => undefined);
    if (target === undefined) return next();
    if (target !== root && !target.startsWith(root + sep)) throw forbidden();
    const answer = await serve(c, next);
    if (answer instanceof Response) {
      for (const [name, value] of Object.entries(browserHeaders)) answer.headers.set(name, value);
    }
    return answer;
  };
}

/** The decoded path. Throws TabPyError `forbidden` for one that no ordinary link contains. */
function decodePath(path: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw forbidden();
  }
  const parts = decoded.split(/[/\\]/);
  if (decoded.includes("\0") || decoded.includes("\\") || parts.includes("..")) throw forbidden();
  return decoded;
}

function forbidden(): TabPyError {
  return new TabPyError("forbidden", "This path is outside of the static folder");
}
