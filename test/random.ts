// Random numbers from a seed, the same in every run.

export type Random = (below: number) => number;

/** Whole numbers below a limit; the mulberry32 generator. */
export function createRandom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** One of the list. */
export function pick<T>(random: Random, list: readonly [T, ...T[]] | readonly T[]): T {
  const item = list[random(list.length)];
  if (item === undefined) throw new Error("pick() needs a list with something in it");
  return item;
}
