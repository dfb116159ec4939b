// The connections of the HTTP server and the requests that run on them, and the steps of a graceful stop, which
// server.ts takes in order: announce the end, serve what still arrives, close idle connections, wait for the rest.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { addressOf } from "./access-log.ts";
import { Turns } from "./turns.ts";

/** Requests of one connection that are handled at a time; further ones, which are pipelined, wait their turn. */
const maxRunning = 4;
/**
 * A connection on which more than these wait is closed: neither `pause` nor backpressure stops bun from parsing all that
 * a client has sent, and meanwhile nobody else is served (10 s for 20,000 requests).
 */
const maxWaiting = 96;
/** First requests of new connections that run per turn of the event loop. */
const newPerTurn = 8;
const pollMs = 20;
/** Without a connection for so many polls, nothing more is expected to arrive. */
const quietPolls = 4;

/** One connection. A collection of all running requests would cost the garbage collector a third more per request. */
interface Connection {
  /** Whether its first request has not run yet: it waits for a turn (turns.ts), and those that follow behind it. */
  isNew: boolean;
  /** How many requests run: more than one when they are pipelined. */
  running: number;
  /** The last request that runs. */
  request: IncomingMessage | undefined;
  /** The last response, of a request that runs or waits. */
  response: ServerResponse | undefined;
  /** Undefined while none waits, as on nearly every connection. */
  waiting: Exchange[] | undefined;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export class Connections {
  readonly #turns = new Turns(newPerTurn);
  readonly #run: (request: IncomingMessage, response: ServerResponse) => void;
  /** Those that have sent something; Node's server keeps the others. */
  readonly #open = new Map<Duplex, Connection>();
  #isEndAnnounced = false;

  /** @param run handles a request; `ended` is to be called when its response is complete or lost. */
  constructor(run: (request: IncomingMessage, response: ServerResponse) => void) {
    this.#run = run;
  }

  opened(socket: Duplex): void {
    this.#of(socket);
  }

  /** Run a request that has arrived, now or when an earlier one of its connection has ended. */
  began(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#of(request.socket);
    if (this.#isEndAnnounced) announce(connection, response);
    connection.response = response;
    if (!connection.isNew && connection.running < maxRunning) {
      this.#start(connection, request, response);
      return;
    }
    if ((connection.waiting?.length ?? 0) >= maxWaiting) request.socket.destroy();
    else if (connection.waiting !== undefined) connection.waiting.push({ request, response });
    else {
      connection.waiting = [{ request, response }];
      if (connection.isNew) this.#turns.add(addressOf(request.socket), () => this.#startNew(connection));
    }
  }

  #startNew(connection: Connection): void {
    connection.isNew = false;
    for (const { request, response } of connection.waiting?.splice(0, maxRunning) ?? [])
      if (!request.socket.destroyed) this.#start(connection, request, response);
  }

  ended({ socket }: IncomingMessage): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    connection.running--;
    const next = connection.waiting?.shift();
    if (next !== undefined) {
      if (!socket.destroyed) this.#start(connection, next.request, next.response);
    } else if (connection.running === 0) {
      connection.request = undefined;
      connection.response = undefined;
      connection.waiting = undefined;
    }
  }

  #start(connection: Connection, request: IncomingMessage, response: ServerResponse): void {
    connection.running++;
    connection.request = request;
    this.#run(request, response);
  }

  isBusy(socket: Duplex): boolean {
    const connection = this.#open.get(socket);
    return connection !== undefined && (connection.running > 0 || (connection.waiting?.length ?? 0) > 0);
  }

  /** From now on responses say `Connection: close`: of pipelined requests only that to the last one. */
  announceEnd(): void {
    this.#isEndAnnounced = true;
    for (const connection of this.#open.values())
      if (connection.response !== undefined) announce(connection, connection.response);
  }

  /** Resolves after `limitMs`, or as soon as there is no connection from which more could come. */
  async quiet(limitMs: number): Promise<void> {
    let quiet = 0;
    await until(limitMs, () => {
      quiet = this.#open.size === 0 ? quiet + 1 : 0;
      return quiet >= quietPolls;
    });
  }

  /**
   * End the connections on which nothing runs, and give clients `limitMs` to close theirs: closed at once, a connection
   * with unread bytes is reset, and the client loses the end of its last response too.
   */
  async endIdle(limitMs: number): Promise<void> {
    const ended = [...this.#open.keys()].filter((socket) => !this.isBusy(socket));
    for (const socket of ended) socket.end();
    await until(limitMs, () => ended.every((socket) => !this.#open.has(socket)));
    for (const socket of ended) socket.destroy();
  }

  /** Resolves when no request runs, or after `limitMs`. After `halfSentMs` those that have not arrived are dropped. */
  async drained(limitMs: number, halfSentMs: number): Promise<void> {
    const dropAt = performance.now() + halfSentMs;
    await until(limitMs, () => {
      const busy = [...this.#open].filter(([socket]) => this.isBusy(socket));
      if (performance.now() >= dropAt)
        for (const [socket, { request }] of busy)
          if (request !== undefined && isHalfSent(request)) socket.destroy();
      return busy.length === 0;
    });
  }

  #of(socket: Duplex): Connection {
    const known = this.#open.get(socket);
    if (known !== undefined) return known;
    const connection = {
      isNew: true,
      running: 0,
      request: undefined,
      response: undefined,
      waiting: undefined,
    };
    this.#open.set(socket, connection);
    socket.on("close", () => this.#open.delete(socket));
    return connection;
  }
}

function announce({ response: before }: Connection, response: ServerResponse): void {
  if (response.headersSent) return;
  if (before !== response && before?.headersSent === false) before.setHeader("Connection", "keep-alive");
  response.setHeader("Connection", "close");
}

/** Whether the end of the body has not arrived. Of a request without body, `complete` tells nothing. */
function isHalfSent({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false;
  const length = headers["content-length"];
  return headers["transfer-encoding"] !== undefined || (length !== undefined && Number(length) > 0);
}

/** Polls: a connection in the accept queue has no event. */
async function until(limitMs: number, isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!isTrue() && performance.now() < deadline) await pause(Math.min(pollMs, Math.max(1, limitMs)));
}
