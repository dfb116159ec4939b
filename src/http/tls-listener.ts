// The listening socket of HTTPS. It makes each connection a TLS one and hands it to an HTTP server that listens
// nowhere; so a renewed certificate serves the next connection, and those that are there go on. It also keeps the
// time limits that an HTTP server keeps only for sockets of its own. Reading certificates is tls.ts's affair.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";

/** PEM texts, the key without passphrase, and the oldest version that is spoken. */
export interface TlsOptions {
  /** The server's own certificate and behind it those of its chain. */
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
  /** Undefined until the handshake is over. */
  socket: TLSSocket | undefined;
  /** Since when it is in its present state: handshake, request, or the time between requests. */
  since: number;
  /** The request that is being answered. */
  request: IncomingMessage | undefined;
  /** Bytes that had come when it fell idle; more are the begin of a request. */
  idleBytes: number;
  isIdle: boolean;
}

/** How often slow connections are looked for. */
const lookMs = 500;
/** What a TLS connection begins with: the type of a handshake record (RFC 8446, 5.1). */
const handshakeByte = 0x16;
const plainBody =
  '{"message": "This port speaks HTTPS only", "info": "Use an https:// URL, or \\"Require SSL\\" in Tableau"}';
const plainAnswer = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${plainBody.length}\r\nConnection: close\r\n\r\n${plainBody}`;
/** ECDHE and AEAD alone; TLS 1.3 has ciphers of its own. */
const modernCiphers = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
];
/** What TLS 1.0 and 1.1 need in addition, for those who ask for them. */
const oldCiphers = [
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-RSA-AES256-SHA",
];

/** A context of these options. Throws when OpenSSL doesn't take them. */
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

  /** For `once("error")` and `listen()`. */
  get front(): NetServer {
    this.#timer ??= setInterval(() => this.#look(performance.now()), lookMs);
    return this.#front;
  }

  /** Serve connections from now on with another certificate. Throws when OpenSSL doesn't take it. */
  use(tls: TlsOptions): void {
    this.#context = createContext(tls);
  }

  /** Stop accepting; connections without a request under way are the HTTP server's to close. */
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
      raw.unshift(first);
      this.#secure(connection);
    });
  }

  #secure(connection: Connection): void {
    const { raw } = connection;
    const socket = new TLSSocket(raw, {
      isServer: true,
      secureContext: this.#context,
      ALPNProtocols: ["http/1.1"],
    });
    const refuse = () => raw.destroy(); // a client without a version, a cipher or trust in common with us
    socket.on("error", refuse);
    socket.once("secure", () => {
      socket.off("error", refuse); // from here on the HTTP server hears of errors
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
      if (connection.request !== request) return; // the next one came before this one's answer was sent
      connection.request = undefined;
      connection.since = performance.now();
      connection.isIdle = true;
      connection.idleBytes = connection.socket?.bytesRead ?? 0;
    });
  }

  /** Closes what is too slow: as Node does it for sockets of its own, and in the same words. */
  #look(now: number): void {
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
