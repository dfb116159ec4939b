// How many connections one address may hold: nine times as many as are free beside them, so that whoever opens all he can
// leaves a tenth to the others, and the next one who does so a tenth of that. One address of a proxy gets nine tenths.

import type { Socket } from "node:net";
import { networkOf } from "../auth/throttle.ts";
import { addressOf } from "./access-log.ts";

const timesFree = 9;

export class AddressShare {
  readonly #maxConnections: number;
  /** Open connections by address; of IPv6 by /64 network. */
  readonly #open = new Map<string, number>();
  #total = 0;

  constructor(maxConnections: number) {
    this.#maxConnections = maxConnections;
  }

  /** Counts a new connection until it closes. Returns false, and counts nothing, when its address has its share. */
  take(socket: Socket): boolean {
    const network = networkOf(addressOf(socket));
    const count = this.#open.get(network) ?? 0;
    const freeAfter = this.#maxConnections - this.#total - 1;
    if (count > 0 && count >= timesFree * freeAfter) return false;
    this.#open.set(network, count + 1);
    this.#total++;
    socket.on("close", () => this.#giveBack(network));
    return true;
  }

  #giveBack(network: string): void {
    this.#total--;
    const count = (this.#open.get(network) ?? 1) - 1;
    if (count > 0) this.#open.set(network, count);
    else this.#open.delete(network);
  }
}
