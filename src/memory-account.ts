// The account of what the server holds in memory for its clients: bodies, inflated bodies, results, compressed answers.
// Each is counted before it is held (TABPY_MAX_BUFFERED_MB). Who holds something: http/body.ts, http/inflate.ts,
// executor/channel/frames.ts, http/large-answers.ts.

/** The last part of the account is left for what is small, so that large requests don't refuse small ones. */
const shareOfSmall = 1 / 16;
export const smallBytes = 64 * 1024;

export class MemoryAccount {
  readonly #limitBytes: number;
  #usedBytes = 0;
  #makeRoom: () => void = () => {};

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Called when something doesn't fit: may release what others hold. */
  set makeRoom(makeRoom: () => void) {
    this.#makeRoom = makeRoom;
  }

  /** Count `bytes` that will be held; undefined when they don't fit. */
  hold(bytes: number): Held | undefined {
    const held = new Held(this);
    return held.add(bytes) ? held : undefined;
  }

  /** For Held. */
  take(bytes: number, isSmall: boolean): boolean {
    const limit = isSmall ? this.#limitBytes : this.#limitBytes * (1 - shareOfSmall);
    if (this.#usedBytes + bytes > limit) this.#makeRoom();
    if (this.#usedBytes + bytes > limit) return false;
    this.#usedBytes += bytes;
    return true;
  }

  /** For Held. */
  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** What one request holds. */
export class Held {
  readonly #account: MemoryAccount;
  #bytes = 0;
  #isReleased = false;

  constructor(account: MemoryAccount) {
    this.#account = account;
  }

  /** Count more bytes; false when they don't fit, or all was released already. */
  add(bytes: number): boolean {
    if (this.#isReleased || !this.#account.take(bytes, this.#bytes + bytes <= smallBytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Count nothing any more. Does nothing the second time. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#account.give(this.#bytes);
  }
}

/**
 * Give the memory of large buffers back at once, where nobody else shares it. Their length is 0 then. Otherwise it stays
 * until the next garbage collection, and the process holds several times what the account says.
 */
export function free(buffers: readonly Uint8Array[]): void {
  for (const each of buffers) {
    if (each.byteLength < smallBytes) continue; // before its buffer is asked for, which takes longer
    const { buffer } = each;
    if (each.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0);
  }
}
