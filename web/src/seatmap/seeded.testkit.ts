/** Random numbers from 0 to 1 that a seed repeats, for tests that must be able to fail twice (the mulberry32 generator). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A whole number from 0 to below a limit. */
export function below(random: () => number, limit: number): number {
  return Math.floor(random() * limit);
}
