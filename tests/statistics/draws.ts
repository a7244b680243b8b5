/**
 * Random numbers for tests of statistics, from another generator than the ones under test.
 */

/** Deterministic fractions in [0, 1) (Park and Miller). */
export function fractions(seed: number): () => number {
  let state = seed;
  return () => (state = state * 16807 % 2147483647) / 2147483647;
}

/** A standard normal number, by Box and Muller. */
export function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}
