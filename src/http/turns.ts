// What new connections wait for: the answer to their first request, or the TLS handshake. The runtime accepts connections
// and reads their first bytes in one loop that ends when nobody is waiting. Were they answered there, clients that connect
// again after each answer would keep that loop running: open connections would not be served, and closed ones not
// closed. So a few are served per turn of the event loop, and addresses take turns.

import { networkOf } from "../auth/throttle.ts";

export class Turns {
  readonly #perTurn: number;
  readonly #maxWaiting: number;
  /** Work by address, that of the next turn first. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /** `perTurn`: how many are served between looks at open connections. `maxWaiting`: of one address. */
  constructor(perTurn: number, maxWaiting = Infinity) {
    this.#perTurn = perTurn;
    this.#maxWaiting = maxWaiting;
  }

  /** Calls `work` in a later turn of the event loop; returns false when too many wait from this address. */
  add(address: string, work: () => void): boolean {
    const network = networkOf(address);
    const queue = this.#waiting.get(network);
    if (queue !== undefined) {
      if (queue.length >= this.#maxWaiting) return false;
      queue.push(work);
      return true;
    }
    if (this.#waiting.size === 0) setImmediate(() => this.#serve());
    this.#waiting.set(network, [work]);
    return true;
  }

  #serve(): void {
    for (let served = 0; served < this.#perTurn; served++) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      const [network, queue] = next;
      const work = queue.shift();
      this.#waiting.delete(network); // and to the end, behind the other addresses
      if (queue.length > 0) this.#waiting.set(network, queue);
      work?.();
    }
    if (this.#waiting.size > 0) setImmediate(() => this.#serve());
  }
}
