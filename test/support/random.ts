const { SEED } = process.env;

/** What the chance of this run begins with: `SEED` of the environment repeats a run. */
export const seed = Number(SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Whole numbers from 0 up to a limit. */
export type Below = (limit: number) => number;

/** A source of chance that gives the same row for the same seed (mulberry32). */
export function random(from: number): Below {
  let state = from | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) % below;
  };
}

/** One of these, by chance. */
export function pick<T>(items: readonly T[], below: Below): T {
  return items[below(items.length)] as T;
}
