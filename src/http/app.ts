// Everything that a request passes through, in order, and every route, on one screen.

import type { IncomingMessage } from "node:http";
import { type Handler, Hono } from "hono";
import { TabPyError } from "../errors.ts";
import { clientWheelName } from "../programs/client-wheel.ts";
import { authentication } from "./authentication.ts";
import { bytesAnswer, errorAnswer, faultText, jsonAnswer, respondingText } from "./answers.ts";
import { checkAnnouncedSize, createBodyReader } from "./body.ts";
import { createHandleCall } from "./call.ts";
import { clientFolder, clientPage, clientWheel } from "./client-wheel.ts";
import {
  addEndpoint,
  getEndpoint,
  listEndpoints,
  removeEndpoint,
  status,
  updateEndpoint,
  uploadArchive,
  uploadDestination,
} from "./endpoints.ts";
import { evaluate } from "./evaluate.ts";
import { logCaller } from "./access-log.ts";
import { createPageCheck } from "./foreign-pages.ts";
import { createFramingCheck } from "./framing.ts";
import { gzip } from "./gzip.ts";
import { createSendLarge } from "./large-answers.ts";
import { pythonJson } from "../python-json.ts";
import { query } from "./query.ts";
import { requestContext } from "./request-context.ts";
import { files, page } from "./static.ts";
import type { AppEnv, AppOptions } from "./types.ts";

type Method = "GET" | "POST" | "PUT" | "DELETE";

/** The whole HTTP interface as a Hono app. */
export function createApp(options: AppOptions): Hono<AppEnv> {
  const { service, limits, log } = options;
  const readBody = createBodyReader(limits, options.memory);
  const sendLarge = createSendLarge(options.memory, limits.timeoutMs, limits.isGzipEnabled);
  const handleCall = createHandleCall(options.execute, readBody, sendLarge);
  const info = pythonJson(options.info);

  const app = new Hono<AppEnv>({ strict: true });
  const headers = { Vary: "Accept-Encoding", ...service.corsHeaders };
  app.use(requestContext(headers, log, options.isLogDetailed, createFramingCheck()));
  if (limits.isGzipEnabled) app.use(gzip());
  // A preflight has no credentials, and its answer reveals nothing.
  app.options("*", (c) => {
    if (options.isLogDetailed) logCaller(c);
    return jsonAnswer({});
  });
  // Pages are checked behind the preflight, which a browser sends before it knows whether the page is allowed, and behind
  // the line that names the caller; before every route, because a page must read no static file or archive either.
  const { prefix } = service;
  const upload = "/configurations/endpoint_upload_destination";
  const checkPage = options.authenticate === undefined ? createPageCheck(options) : undefined;
  const check = (incoming: IncomingMessage) => {
    checkPage?.(incoming);
    // An archive may be larger than other bodies: it is written to disk.
    if (incoming.url?.startsWith(`${prefix}${upload}/`) !== true)
      checkAnnouncedSize(incoming, limits.maxBytes);
  };
  app.use(authentication(options, service.name, check));
  /** HEAD is answered as GET without the body, except where GET runs a function. */
  const route = (below: string, methods: Partial<Record<Method, Handler<AppEnv>>>, hasHead = true) => {
    const path = `${prefix}${below}`; // Hono's basePath would make "/sub" of "/sub/"
    const allowed = Object.keys(methods).flatMap((one) =>
      one === "GET" && hasHead ? ["GET", "HEAD"] : [one],
    );
    const refuse = () => {
      throw new TabPyError("method-not-allowed", "Method not allowed", {
        headers: { Allow: [...allowed, "OPTIONS"].join(", ") },
      });
    };
    if (!hasHead) app.get(path, (c, next) => (c.req.method === "HEAD" ? refuse() : next()));
    for (const [method, handler] of Object.entries(methods)) app.on([method], [path], handler);
    app.all(path, refuse);
  };

  route(`${upload}/endpoints/:name/:version/pickle_archive`, { PUT: uploadArchive(options) });
  route("/info", { GET: () => bytesAnswer(info) });
  route("/evaluate", { POST: evaluate(options, handleCall) });
  route("/query/:name", { GET: query(options, handleCall), POST: query(options, handleCall) }, false);
  route("/endpoints", { GET: listEndpoints(options), POST: addEndpoint(options, readBody) });
  route("/endpoints/", { GET: listEndpoints(options) });
  route("/endpoints/:name", {
    GET: getEndpoint(options),
    PUT: updateEndpoint(options, readBody),
    DELETE: removeEndpoint(options),
  });
  route("/tabpy_tools", { GET: clientFolder });
  route("/tabpy_tools/", { GET: clientPage });
  route(`/tabpy_tools/${clientWheelName}`, { GET: clientWheel });
  route("/status", { GET: status(options) });
  route(upload, { GET: uploadDestination(options) });
  if (options.staticPath === undefined) {
    if (prefix !== "") route("", { GET: page(options.page) });
    route("/", { GET: page(options.page) });
    route("/index.html", { GET: page(options.page) });
  } else {
    app.get(`${prefix}/*`, files(options.staticPath, prefix));
  }

  app.notFound(() =>
    errorAnswer(new TabPyError("not-found", "Not found", { info: "There is nothing at this URL" })),
  );
  app.onError((error, c) => {
    const fault = faultText(error);
    if (fault !== undefined) c.get("log").error(`${c.req.method} ${c.req.path} failed: ${fault}`);
    if (log.isEnabled("ERROR") && !c.get("gone").aborted && c.get("isSummedUp") !== true)
      c.get("log").error(respondingText(error));
    return errorAnswer(error);
  });
  return app;
}
