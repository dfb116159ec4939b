// The order of everything that a request passes, and every route, on one screen.

import { type Handler, Hono } from "hono";
import { TabPyError } from "../errors.ts";
import { access } from "./access.ts";
import { bytesAnswer, errorAnswer, faultText, jsonAnswer } from "./answers.ts";
import { checkAnnouncedSize, createBodyReader } from "./body.ts";
import { evaluate } from "./evaluate.ts";
import { frame } from "./frame.ts";
import { gzip } from "./gzip.ts";
import { pythonJson } from "./python-json.ts";
import { files, page } from "./static.ts";
import type { AppEnv, AppOptions } from "./types.ts";

/** The whole HTTP interface as a Hono app. */
export function createApp(options: AppOptions): Hono<AppEnv> {
  const { service, log } = options;
  const readBody = createBodyReader({
    maxBytes: options.maxRequestBytes,
    maxBufferedBytes: options.maxBufferedBytes,
    timeoutMs: options.requestTimeoutMs,
    isGzipEnabled: options.isGzipEnabled,
  });
  const info = pythonJson(options.info);

  const app = new Hono<AppEnv>({ strict: true });
  app.use(frame({ Vary: "Accept-Encoding", ...service.corsHeaders }, log));
  if (options.isGzipEnabled) app.use(gzip());
  // A preflight has no credentials, and says nothing about what is there.
  app.options("*", () => jsonAnswer({}));
  app.use(access(options, service.name));
  app.use((c, next) => {
    checkAnnouncedSize(c.env.incoming, options.maxRequestBytes);
    return next();
  });

  const route = (below: string, methods: Partial<Record<"GET" | "POST", Handler<AppEnv>>>) => {
    const path = `${service.prefix}${below}`; // Hono's basePath would make "/sub" of "/sub/"
    for (const [method, handler] of Object.entries(methods)) app.on([method], [path], handler);
    const allowed = Object.keys(methods).flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    app.all(path, () => {
      throw new TabPyError("method-not-allowed", "Method not allowed", {
        headers: { Allow: [...allowed, "OPTIONS"].join(", ") },
      });
    });
  };
  route("/info", { GET: () => bytesAnswer(info) });
  route("/evaluate", { POST: evaluate(options, readBody) });
  route("/status", { GET: () => jsonAnswer({}) });
  route("/endpoints", { GET: () => jsonAnswer(options.endpoints()) });
  route("/endpoints/:name", { GET: (c) => unknownEndpoint(c.req.param("name")) });
  route("/query/:name", {
    GET: (c) => unknownQuery(c.req.param("name")),
    POST: (c) => unknownQuery(c.req.param("name")),
  });
  if (options.staticPath === undefined) {
    if (service.prefix !== "") route("", { GET: page(options.page) });
    route("/", { GET: page(options.page) });
    route("/index.html", { GET: page(options.page) });
  } else {
    app.get(`${service.prefix}/*`, files(options.staticPath, service.prefix));
  }

  app.notFound(() =>
    errorAnswer(new TabPyError("not-found", "Not found", { info: "There is nothing at this URL" })),
  );
  app.onError((error, c) => {
    const fault = faultText(error);
    if (fault !== undefined)
      log.error(`${c.req.method} ${c.req.path} failed <<call ID: ${c.get("callId")}>>: ${fault}`);
    return errorAnswer(error);
  });
  return app;
}

function unknownEndpoint(name = ""): never {
  throw new TabPyError("not-found", "Unknown endpoint", { info: `Endpoint ${name} is not found` });
}

function unknownQuery(name = ""): never {
  throw new TabPyError("not-found", "UnknownURI", { info: `Endpoint '${name}' does not exist` });
}
