// Which refused logins are logged one by one: the first ones of each address in a minute. The others are counted by
// reason, and summed up in one line for each address at the end of the minute, so that a flood of them neither fills the
// disk nor takes time from other requests, and the log still says who was refused how often and why.

import { networkOf } from "../auth/throttle.ts";
import type { Service } from "../lifecycle.ts";
import type { Logger } from "../logging/logger.ts";

const minuteMs = 60_000;
export const refusalLimits = {
  /** Logged one by one in a minute: of one address, and in all. */
  perAddress: 20,
  inAll: 1000,
  /** Addresses and reasons that are counted apart; the rest is counted together. */
  addresses: 1000,
  reasons: 20,
} as const;

interface Refusals {
  logged: number;
  /** Those that were not logged, by reason. */
  readonly counts: Map<string, number>;
}

export class RefusalLog implements Service {
  readonly name = "refusal log";
  readonly #log: Logger;
  readonly #byAddress = new Map<string, Refusals>();
  #logged = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `log` takes the lines about refusals. */
  constructor(log: Logger) {
    this.#log = log;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.sumUp(), minuteMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.sumUp();
  }

  /** Logs that a request (method and path) was refused. Returns false when it was only counted. */
  refused(request: string, address: string, why: string): boolean {
    const refusals = this.#of(networkOf(address));
    if (refusals.logged < refusalLimits.perAddress && this.#logged < refusalLimits.inAll) {
      refusals.logged++;
      this.#logged++;
      this.#log.warning(`Refused ${request} from ${address}: ${why}`);
      return true;
    }
    const { counts } = refusals;
    const reason = counts.has(why) || counts.size < refusalLimits.reasons ? why : "other reasons";
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
    return false;
  }

  /** Logs what was counted, and begins a new minute. */
  sumUp(): void {
    for (const [address, { counts }] of this.#byAddress) {
      if (counts.size === 0) continue;
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      const reasons = [...counts].map(([why, count]) => `${count} ${why}`).join(", ");
      this.#log.warning(`Refused ${total} more requests from ${address} within a minute: ${reasons}`);
    }
    this.#byAddress.clear();
    this.#logged = 0;
  }

  #of(network: string): Refusals {
    const key =
      this.#byAddress.has(network) || this.#byAddress.size < refusalLimits.addresses
        ? network
        : "other addresses";
    const known = this.#byAddress.get(key);
    if (known !== undefined) return known;
    const refusals = { logged: 0, counts: new Map<string, number>() };
    this.#byAddress.set(key, refusals);
    return refusals;
  }
}
