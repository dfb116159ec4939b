// The connections of the HTTP server and the requests that run on them, and the steps of a graceful stop, which
// server.ts takes in order: announce the end, serve what still arrives, close idle connections, wait for the rest.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";

const pollMs = 20;
/** Without a connection for so many polls, nothing more is expected to arrive. */
const quietPolls = 4;

export class Connections {
  /** Those that have sent something; Node's server keeps the others. */
  readonly #open = new Set<Duplex>();
  readonly #running = new Map<ServerResponse, IncomingMessage>();
  /** How many requests run on each connection that has any: more than one when they are pipelined. */
  readonly #busy = new Map<Duplex, number>();
  /** The response that ends each connection; used once the end is announced. */
  readonly #last = new Map<Duplex, ServerResponse>();
  #isEndAnnounced = false;

  opened(socket: Duplex): void {
    this.#open.add(socket);
    socket.on("close", () => this.#open.delete(socket));
  }

  began(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    this.#running.set(response, request);
    this.#busy.set(socket, (this.#busy.get(socket) ?? 0) + 1);
    if (this.#isEndAnnounced) this.#announce(socket, response);
  }

  ended({ socket }: IncomingMessage, response: ServerResponse): void {
    this.#running.delete(response);
    const others = (this.#busy.get(socket) ?? 1) - 1;
    if (others > 0) this.#busy.set(socket, others);
    else this.#busy.delete(socket);
    if (this.#last.get(socket) === response) this.#last.delete(socket);
  }

  isBusy(socket: Duplex): boolean {
    return this.#busy.has(socket);
  }

  /** From now on responses say `Connection: close`: of pipelined requests only that to the last one. */
  announceEnd(): void {
    this.#isEndAnnounced = true;
    for (const [response, { socket }] of this.#running) this.#announce(socket, response);
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
    const ended = [...this.#open].filter((socket) => !this.#busy.has(socket));
    for (const socket of ended) socket.end();
    await until(limitMs, () => ended.every((socket) => !this.#open.has(socket)));
    for (const socket of ended) socket.destroy();
  }

  /** Resolves when no request runs, or after `limitMs`. After `halfSentMs` those that have not arrived are dropped. */
  async drained(limitMs: number, halfSentMs: number): Promise<void> {
    const dropAt = performance.now() + halfSentMs;
    await until(limitMs, () => {
      if (performance.now() >= dropAt)
        for (const request of this.#running.values()) if (isHalfSent(request)) request.socket.destroy();
      return this.#running.size === 0;
    });
  }

  #announce(socket: Duplex, response: ServerResponse): void {
    if (response.headersSent) return;
    const before = this.#last.get(socket);
    if (before?.headersSent === false) before.setHeader("Connection", "keep-alive");
    response.setHeader("Connection", "close");
    this.#last.set(socket, response);
  }
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
