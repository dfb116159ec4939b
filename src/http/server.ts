// The listening HTTP or HTTPS server, its limits against hostile clients, and its graceful shutdown.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener, RequestError } from "@hono/node-server";
import { errnoOf, TabPyError } from "../errors.ts";
import type { Service } from "../lifecycle.ts";
import { addressOf } from "./access-log.ts";
import { AddressShare } from "./address-share.ts";
import { errorAnswer } from "./answers.ts";
import { Connections } from "./connections.ts";
import { TlsListener, type TlsOptions } from "./tls-listener.ts";

export interface ServerOptions {
  readonly fetch: Parameters<typeof getRequestListener>[0];
  readonly host: string;
  readonly port: number;
  /** PEM texts and minimum version; undefined for plain HTTP. */
  readonly tls: TlsOptions | undefined;
  readonly maxConnections: number;
  /** Called for each connection that is closed because there are too many, in all or from this address. */
  readonly onRefused?: (address?: string) => void;
  readonly headerTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** How long `stop` waits for running requests. */
  readonly drainTimeoutMs: number;
}

const maxHeaderBytes = 32 * 1024;
/** Errors that end a request whose headers have arrived already; HPE_STRICT is a chunk of another size than announced. */
const inBody = new Set(["ERR_HTTP_REQUEST_TIMEOUT", "HPE_INVALID_CHUNK_SIZE", "HPE_STRICT"]);
/**
 * Bun closes a connection that has not sent the headers of its first request after 8 to 12 s, without an answer, and no
 * option of Node's changes that. So they are answered with 408 before.
 */
const longestHeaderTimeoutMs = 7000;
/** Interval of the checks for slow connections. */
const checkIntervalMs = 500;
/** How long after the begin of a stop connections are accepted and requests on open ones served. */
const graceMs = 500;
/** How long clients may take to close their side of an idle connection. */
const lingerMs = 250;
/** How long, after the grace, requests may take whose body has not arrived completely. */
const halfSentMs = 1000;

export class HttpServer implements Service {
  readonly name = "server";
  readonly #options: ServerOptions;
  readonly #server: Server;
  /** Undefined for plain HTTP, where `#server` listens itself. */
  readonly #tls: TlsListener | undefined;
  readonly #connections: Connections;
  /** Busy connections to close after the response. */
  readonly #closeAfterResponse = new WeakSet<Duplex>();
  #isStopping = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#server = createHttpServer(options);
    this.#tls = options.tls === undefined ? undefined : new TlsListener(this.#server, options.tls, options);
    const answer = getRequestListener(options.fetch, { errorHandler: answerInvalidUrl });
    this.#connections = new Connections((request, response) => {
      response.on("close", () => {
        this.#connections.ended(request);
        const { socket } = request;
        if (this.#closeAfterResponse.has(socket) && !this.#connections.isBusy(socket)) socket.destroy();
      });
      request.headers.host ??= "localhost"; // HTTP/1.0 has none, and Hono needs it for the URL
      answer(request, response);
    });
    this.#server.on("connection", (socket: Duplex) => this.#connections.opened(socket));
    this.#server.on("request", (request: IncomingMessage, response: ServerResponse) =>
      this.#connections.began(request, response),
    );
    this.#server.on("clientError", (error, socket) => {
      // Malformed bytes after a valid request must not replace its response; a broken body is no valid request.
      if (this.#connections.isBusy(socket) && !inBody.has(errnoOf(error) ?? ""))
        this.#closeAfterResponse.add(socket);
      else refuseMalformed(error, socket);
    });
    this.#server.maxConnections = options.maxConnections;
    this.#server.keepAliveTimeout = options.idleTimeoutMs;
    this.#server.timeout = 0; // no bytes pass while a script runs
  }

  /** Listen. Throws TabPyError `config` that names the port and the reason when that fails. */
  async start(): Promise<void> {
    const { host, port } = this.#options;
    const listener = this.#tls?.front ?? this.#server;
    const share = new AddressShare(this.#options.maxConnections);
    listener.on("connection", (socket: Socket) => {
      if (share.take(socket)) return;
      this.#options.onRefused?.(addressOf(socket));
      socket.destroy();
    });
    listener.on("drop", () => this.#options.onRefused?.());
    await new Promise<void>((resolve, reject) => {
      listener.once("error", (error: Error) => reject(cannotListen(error, host, port)));
      listener.listen({ host, port, backlog: 1024 }, () => resolve());
    });
  }

  /** Serve new HTTPS connections with another certificate; open ones keep theirs. */
  useTls(tls: TlsOptions): void {
    this.#tls?.use(tls);
  }

  /**
   * Serve what has been sent and is on its way, stop accepting, wait for running requests, close all connections: within
   * the drain timeout.
   */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const deadline = performance.now() + this.#options.drainTimeoutMs;
    const within = (ms: number) => Math.max(0, Math.min(ms, deadline - performance.now()));
    this.#connections.announceEnd();
    await this.#connections.quiet(within(graceMs));
    await this.#connections.endIdle(within(lingerMs)); // Node's server would reset those with unread bytes
    this.#tls?.close();
    this.#server.close();
    this.#server.closeIdleConnections();
    await this.#connections.drained(within(Infinity), halfSentMs);
    this.#server.closeAllConnections();
    this.#tls?.closeAll();
  }
}

function createHttpServer(options: ServerOptions): Server {
  return createServer({
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: Math.min(options.headerTimeoutMs, options.requestTimeoutMs, longestHeaderTimeoutMs), // Node throws when it is longer than requestTimeout
    requestTimeout: options.requestTimeoutMs,
    connectionsCheckingInterval: checkIntervalMs,
  });
}

/** The response to a request that has no valid URL or Host, which Hono doesn't pass to the app. */
function answerInvalidUrl(error: unknown): Response {
  if (!(error instanceof RequestError)) return errorAnswer(error);
  const detail = { info: error.message };
  return errorAnswer(
    new TabPyError("bad-request", "The URL or the Host of the request can't be read", detail),
  );
}

/** Answers malformed, oversized or slow HTTP with a status, and closes the connection. */
function refuseMalformed(error: Error, socket: Duplex): void {
  if (!socket.writable || errnoOf(error) === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [status, message] = malformedStatus(errnoOf(error));
  const body = `{"message": "${message}", "info": {}}`;
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function malformedStatus(code: string | undefined): [status: string, message: string] {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return ["431 Request Header Fields Too Large", "The headers of the request are too large"];
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return ["408 Request Timeout", "The request did not arrive in time"];
    default:
      return ["400 Bad Request", "The request is not HTTP/1.1"];
  }
}

function cannotListen(error: Error, host: string, port: number): TabPyError {
  const reasons: Record<string, string> = {
    EADDRINUSE: "the port is in use; stop what uses it or choose another TABPY_PORT",
    EACCES: "not allowed; choose a TABPY_PORT from 1024 on, or run with permission to use lower ones",
    EADDRNOTAVAIL: "this machine has no such address; expected TABPY_HOST to be one of its own",
    ENOTFOUND: "no such host; expected TABPY_HOST to be an address of this machine",
  };
  const reason = reasons[errnoOf(error) ?? ""] ?? error.message;
  return new TabPyError("config", `Cannot listen on ${host} port ${port}: ${reason}`, { cause: error });
}
