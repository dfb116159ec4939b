// Pauses between failed attempts: each twice as long as the one before, up to a limit.

const firstPauseMs = 250;
const longestPauseMs = 30_000;

export class Backoff {
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #endsAt = 0;

  get isPausing(): boolean {
    return this.#timer !== undefined;
  }

  /** Whole seconds until the next attempt, at least one: for Retry-After. */
  get seconds(): number {
    return Math.max(1, Math.ceil((this.#endsAt - Date.now()) / 1000));
  }

  /** Call `attempt` after the next pause; returns the length of the pause in milliseconds. */
  pause(attempt: () => void): number {
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#failures++);
    this.#endsAt = Date.now() + pauseMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      attempt();
    }, pauseMs);
    return pauseMs;
  }

  /** An attempt has succeeded: the next pause is short again. */
  reset(): void {
    this.#failures = 0;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
