/**
 * Intervals of any statistic by drawing its items again.
 */
import { normalTail, quantile, studentQuantile } from "./distributions.ts";

export interface BootstrapOptions {
  /** Equal seeds give equal intervals. */
  readonly seed: number;
  /** Effective number of items, where some weigh more than others: `effectiveItems` of estimates.ts (default n). */
  readonly effective?: number;
}

/** Fewest resamples; a tail of 2.5 % leaves 50 of them out. */
const fewestResamples = 2_000;

/** Most resamples, which bound the time of an interval. */
const mostResamples = 40_000;

/** Resamples that a tail must leave out on its side, so that an end of the interval moves little with the seed. */
const leftOutResamples = 10;

/**
 * The 95 % interval of a statistic by the bootstrap: n of n items are drawn with replacement, many times, and the interval
 * leaves out the smallest and the largest results.
 *
 * Of many items, it leaves out 2.5 % on each side. Of few, results vary too little (their standard deviation divides by n
 * rather than n - 1, and they are normal rather than Student's), so that less is left out: Phi(-sqrt(n / (n - 1)) t), t the
 * 97.5 % quantile of Student's distribution with n - 1 degrees of freedom (the expanded percentile interval of Hesterberg,
 * arXiv 1411.5279), n being `effective`. There are at least as many resamples as leave out ten on each side. Where that would
 * be more than 40,000 (below 4.2 effective items), no percentile is known, and the interval is value +- sqrt(n / (n - 1)) t s,
 * s the standard deviation of the results. Draws of which the statistic is not a number, as a ratio of items that all have a
 * denominator of 0, are left out.
 *
 * @param n Number of items.
 * @param statistic The statistic of the items with these indices, n of them.
 * @param options Seed and effective items.
 */
export function bootstrapInterval(
  n: number,
  statistic: (indices: Uint32Array<ArrayBuffer>) => number,
  options: BootstrapOptions,
): [number, number] {
  if (!(n > 0)) {
    throw new RangeError(
      `Cannot draw from no items: current value is ${n}, allowed are 1 and more`,
    );
  }
  const { seed, effective = n } = options;
  const deviations = effective > 1
    ? Math.sqrt(effective / (effective - 1)) * studentQuantile(Math.max(1, effective - 1))
    : Infinity;
  const tail = normalTail(deviations);
  const needed = Math.ceil(leftOutResamples / tail);
  const hasPercentile = needed <= mostResamples;
  const drawn = new Float64Array(Math.max(fewestResamples, hasPercentile ? needed : 0));
  const next = randomFractions(seed);
  const indices = new Uint32Array(n);
  for (let i = 0; i < drawn.length; i++) {
    for (let j = 0; j < n; j++) indices[j] = Math.floor(next() * n);
    drawn[i] = statistic(indices);
  }
  const results = drawn.filter((result) => !Number.isNaN(result));
  if (hasPercentile) {
    results.sort();
    return [quantile(results, tail), quantile(results, 1 - tail)];
  }
  const value = statistic(indices.map((_, i) => i));
  const squares = results.map((result) => (result - value) ** 2);
  const spread = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / results.length);
  // A single item tells nothing of others, unless nothing varies at all.
  const margin = spread === 0 ? 0 : deviations * spread;
  return [value - margin, value + margin];
}

/** Fractions in [0, 1): a counter through the finaliser of MurmurHash3, ample for a bootstrap. */
function randomFractions(seed: number): () => number {
  let counter = seed | 0;
  return () => {
    counter = (counter + 0x9e3779b9) | 0;
    let hash = Math.imul(counter ^ (counter >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
  };
}
