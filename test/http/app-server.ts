// The HTTP interface on an ephemeral port of the loopback address, with a function in place of the workers; and a
// client that sends exactly the bytes it is given, which fetch doesn't: it tidies paths and headers.

import { connect } from "node:net";
import { createApp } from "../../src/http/app.ts";
import { RefusalLog } from "../../src/http/refusal-log.ts";
import { HttpServer } from "../../src/http/server.ts";
import type { AppOptions, EndpointService } from "../../src/http/types.ts";
import type { Call, Reply } from "../../src/executor/executor.ts";
import { MemoryAccount } from "../../src/memory-account.ts";
import { createLogger } from "../support/logger.ts";
import type { PageData } from "../../src/web/page.ts";
import { freePort } from "../support/network.ts";

export interface AppServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** The calls that `execute` received. */
  readonly calls: readonly Call[];
  readonly logLines: readonly string[];
  /** Sends a request and reads its answer to the end. */
  send(request: Request): Promise<Answer>;
}

export interface Request {
  readonly method?: string;
  /** Sent as it is. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A list is sent as chunks, without a Content-Length. */
  readonly body?: string | Buffer | readonly (string | Buffer)[];
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  /** The body as JSON. */
  json(): unknown;
}

export const service = {
  name: "TabPy Server",
  description: "",
  creationTime: "0",
  corsHeaders: {},
  prefix: "",
} as const;

/** A registry without a function. */
export const noEndpoints: EndpointService = {
  list: () => ({}),
  get: () => undefined,
  status: () => ({}),
  resolve: () => ({ kind: "unknown" }),
  resolveCurrent(name) {
    return this.resolve(name);
  },
  refresh: async () => {},
  settled: async () => {},
  add: async () => ({}),
  update: async () => ({}),
  remove: async () => {},
  uploadPath: "/state/staging",
  receiveUpload: async () => "/state/staging/endpoints/x/1",
};

type Groups = Pick<AppOptions, "evaluate" | "query" | "limits">;
export type TestOptions = Partial<Omit<AppOptions, keyof Groups>> & {
  readonly [name in keyof Groups]?: Partial<Groups[name]>;
};

/** Starts the app; options that are left out have the server's defaults. */
export async function startApp(options: TestOptions = {}): Promise<AppServer> {
  const calls: Call[] = [];
  const logLines: string[] = [];
  const port = await freePort();
  const execute = options.execute ?? (async () => result("1"));
  const log = createLogger((line) => logLines.push(line), "INFO", "app.ts");
  const app = createApp({
    service,
    refusalLog: new RefusalLog(log.for("audit.ts").named("tabpy.audit")),
    authenticate: undefined,
    allowedHosts: undefined,
    info: {},
    endpoints: noEndpoints,
    page: () => pageData,
    staticPath: undefined,
    log,
    isLogDetailed: false,
    memory: new MemoryAccount(16 * 1024 * 1024),
    ...options,
    evaluate: { isEnabled: true, timeoutMs: 30_000, timeoutText: "30", ...options.evaluate },
    query: { timeoutMs: undefined, timeoutText: "0", ...options.query },
    limits: {
      maxBytes: 1024 * 1024,
      timeoutMs: 60_000,
      isGzipEnabled: true,
      ...options.limits,
    },
    execute: (call) => {
      calls.push(call);
      return execute(call);
    },
  });
  const server = new HttpServer({
    fetch: app.fetch,
    host: "127.0.0.1",
    port,
    tls: undefined,
    maxConnections: 100,
    headerTimeoutMs: 20_000,
    requestTimeoutMs: 60_000,
    idleTimeoutMs: 60_000,
    drainTimeoutMs: 1000,
  });
  await server.start();
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    calls,
    logLines,
    send: (request) => sendRequest(port, request),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** A worker's reply for a script that succeeded. */
export function result(json: string): Reply {
  return { kind: "result", body: Buffer.from(json) };
}

/** Send bytes on a connection of their own, and read until the server closes it. */
export async function sendBytes(port: number, bytes: string | Buffer): Promise<Answer> {
  const received = await new Promise<Buffer>((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write(bytes));
    socket.on("data", (part) => parts.push(Buffer.from(part)));
    socket.on("close", () => resolve(Buffer.concat(parts)));
    socket.on("error", (error) => (parts.length === 0 ? reject(error) : resolve(Buffer.concat(parts))));
  });
  return parseAnswer(received);
}

function sendRequest(port: number, request: Request): Promise<Answer> {
  const { method = "GET", path = "/", headers = {}, body } = request;
  const all: Record<string, string> = { Host: `127.0.0.1:${port}`, Connection: "close" };
  if (typeof body === "string" || Buffer.isBuffer(body))
    all["Content-Length"] = String(Buffer.byteLength(body));
  else if (body !== undefined) all["Transfer-Encoding"] = "chunked";
  const lines = Object.entries({ ...all, ...headers }).map(([name, value]) => `${name}: ${value}`);
  const head = Buffer.from(`${[`${method} ${path} HTTP/1.1`, ...lines].join("\r\n")}\r\n\r\n`, "latin1");
  return sendBytes(port, Buffer.concat([head, bodyBytes(body)]));
}

function bodyBytes(body: Request["body"]): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (typeof body === "string" || Buffer.isBuffer(body)) return Buffer.from(body);
  const parts = body.map((part) => {
    const bytes = Buffer.from(part);
    return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
  });
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

function parseAnswer(bytes: Buffer): Answer {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) throw new Error(`No answer but ${JSON.stringify(bytes.toString("latin1"))}`);
  const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const rest = bytes.subarray(end + 4);
  const body = headers.get("transfer-encoding") === "chunked" ? joinChunks(rest) : rest;
  return {
    status: Number(first.split(" ")[1]),
    headers,
    body,
    json: () => JSON.parse(body.toString("utf8")),
  };
}

function joinChunks(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString("latin1"), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

const pageData: PageData = {
  info: {
    name: "TabPy Server",
    description: "",
    creationTime: "0",
    statePath: "state",
    serverVersion: "2.13.0",
    version: "0.0.0",
    features: { evaluate: true, gzip: true, arrow: false, authentication: false },
  },
  settings: [],
  endpoints: [],
  prefix: "",
  url: "http://localhost:9004",
};
