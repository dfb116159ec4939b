// The listening socket of HTTPS. Bun's https server lacks setSecureContext (for a renewed certificate) and the event
// tlsClientError, and can't be given connections that another server has accepted. So this file listens with
// node:net, wraps each connection in a TLSSocket and emits it as "connection" on an HTTP server that doesn't listen
// itself. The time limits that an HTTP server applies only to its own sockets are applied here too. Certificates are
// read in tls.ts.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { addressOf } from "./access-log.ts";
import { Turns } from "./turns.ts";

/** PEM texts, the key without passphrase, and the oldest accepted version. */
export interface TlsOptions {
  /** The server's own certificate, then those of its chain. */
  readonly certificate: string;
  readonly key: string;
  readonly minimumVersion: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
}

export interface TlsLimits {
  readonly maxConnections: number;
  readonly headerTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

interface Connection {
  readonly raw: Socket;
  /** Undefined until the handshake has ended. */
  socket: TLSSocket | undefined;
  /** Start of its current state: handshake, request, or idle between requests. */
  since: number;
  /** The request that is being received or answered. */
  request: IncomingMessage | undefined;
  /** `bytesRead` when it became idle; more bytes are the start of a request. */
  idleBytes: number;
  isIdle: boolean;
}

/** Interval of the checks for slow connections. */
const checkMs = 500;
/** Each takes about a millisecond with a key of RSA 2048. */
const handshakesPerTurn = 1;
/** Of one address; further connections are reset. */
const maxWaitingHandshakes = 256;
/** The first byte of a TLS connection: the type of a handshake record (RFC 8446, 5.1). */
const handshakeByte = 0x16;
const plainBody =
  '{"message": "This port speaks HTTPS only", "info": "Use an https:// URL, or \\"Require SSL\\" in Tableau"}';
const plainAnswer = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${plainBody.length}\r\nConnection: close\r\n\r\n${plainBody}`;
/** ECDHE and AEAD only. TLS 1.3 has its own ciphers. */
const modernCiphers = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
];
/** Needed in addition where TLS 1.0 or 1.1 is configured. */
const oldCiphers = [
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-RSA-AES256-SHA",
];

/** A context with these options. Throws when OpenSSL refuses them. */
export function createContext(tls: TlsOptions): SecureContext {
  const isOld = tls.minimumVersion === "TLSv1" || tls.minimumVersion === "TLSv1.1";
  return createSecureContext({
    cert: tls.certificate,
    key: tls.key,
    minVersion: tls.minimumVersion,
    ciphers: [...modernCiphers, ...(isOld ? oldCiphers : [])].join(":"),
    honorCipherOrder: true,
  });
}

export class TlsListener {
  readonly #http: Server;
  readonly #limits: TlsLimits;
  readonly #front: NetServer;
  readonly #connections = new Set<Connection>();
  readonly #bySocket = new WeakMap<object, Connection>();
  readonly #handshakes = new Turns(handshakesPerTurn, maxWaitingHandshakes);
  #context: SecureContext;
  #timer: NodeJS.Timeout | undefined;

  constructor(http: Server, tls: TlsOptions, limits: TlsLimits) {
    this.#http = http;
    this.#limits = limits;
    this.#context = createContext(tls);
    this.#front = createServer((raw) => this.#accept(raw));
    this.#front.maxConnections = limits.maxConnections;
    http.on("request", (request, response) => this.#track(request, response));
  }

  /** The server to call `listen()` on. */
  get front(): NetServer {
    this.#timer ??= setInterval(() => this.#closeSlow(performance.now()), checkMs);
    return this.#front;
  }

  /** Serve new connections with another certificate. Throws when OpenSSL refuses it. */
  use(tls: TlsOptions): void {
    this.#context = createContext(tls);
  }

  /** Stop accepting, and close connections in their handshake. The HTTP server closes idle ones. */
  close(): void {
    this.#front.close();
    for (const { raw, socket } of this.#connections) if (socket === undefined) raw.destroy();
  }

  closeAll(): void {
    clearInterval(this.#timer);
    for (const { raw } of this.#connections) raw.destroy();
  }

  #accept(raw: Socket): void {
    const connection: Connection = {
      raw,
      socket: undefined,
      since: performance.now(),
      request: undefined,
      idleBytes: 0,
      isIdle: false,
    };
    this.#connections.add(connection);
    raw.setNoDelay(true);
    raw.on("error", () => raw.destroy());
    raw.on("close", () => this.#connections.delete(connection));
    raw.once("data", (first) => {
      if (first[0] !== handshakeByte) {
        raw.end(plainAnswer);
        return;
      }
      raw.pause();
      const secure = () => {
        if (raw.destroyed) return;
        raw.unshift(first);
        this.#secure(connection);
      };
      if (!this.#handshakes.add(addressOf(raw), secure)) raw.resetAndDestroy();
    });
  }

  #secure(connection: Connection): void {
    const { raw } = connection;
    const socket = new TLSSocket(raw, {
      isServer: true,
      secureContext: this.#context,
      ALPNProtocols: ["http/1.1"],
    });
    const refuse = () => raw.destroy(); // no version or cipher in common, or the client doesn't trust the certificate
    socket.on("error", refuse);
    socket.once("secure", () => {
      socket.off("error", refuse); // from here on the HTTP server handles errors
      connection.socket = socket;
      connection.since = performance.now();
      this.#bySocket.set(socket, connection);
      this.#http.emit("connection", socket);
    });
  }

  #track(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#bySocket.get(request.socket);
    if (connection === undefined) return;
    connection.request = request;
    connection.since = performance.now();
    response.on("close", () => {
      if (connection.request !== request) return; // the next one arrived before this response was sent
      connection.request = undefined;
      connection.since = performance.now();
      connection.isIdle = true;
      connection.idleBytes = connection.socket?.bytesRead ?? 0;
    });
  }

  /** Closes slow connections as Node's HTTP server does with its own sockets, with the same response. */
  #closeSlow(now: number): void {
    for (const connection of this.#connections) {
      const { raw, socket, request } = connection;
      if (connection.isIdle && request === undefined && socket?.bytesRead !== connection.idleBytes) {
        connection.isIdle = false;
        connection.since = now;
      }
      const age = now - connection.since;
      if (socket === undefined) {
        if (age > this.#limits.headerTimeoutMs) raw.destroy();
      } else if (request !== undefined) {
        if (!request.complete && age > this.#limits.requestTimeoutMs) this.#refuse(socket);
      } else if (connection.isIdle) {
        if (age > this.#limits.idleTimeoutMs) raw.destroy();
      } else if (age > this.#limits.headerTimeoutMs) this.#refuse(socket);
    }
  }

  #refuse(socket: TLSSocket): void {
    const error = Object.assign(new Error("Request timeout"), { code: "ERR_HTTP_REQUEST_TIMEOUT" });
    this.#http.emit("clientError", error, socket);
  }
}
