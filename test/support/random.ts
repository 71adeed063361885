const { SEED } = process.env;

/** What the chance of this run begins with: `SEED` of the environment repeats a run. */
export const seed = Number(SEED ?? Math.floor(Math.random() * 2 ** 31));

/** A source of chance that gives the same row for the same seed (mulberry32): whole numbers from 0 up to `below`. */
export function random(from: number): (below: number) => number {
  let state = from | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) % below;
  };
}
