/**
 * Quantiles and tails of the distributions that intervals are made of.
 */

/** 97.5 % quantile of the normal distribution. */
export const normalQuantile = 1.959964;

/** The probability that a standard normal number exceeds z >= 0, within 1e-7 (Abramowitz and Stegun 26.2.17). */
export function normalTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const coefficients = [1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.31938153];
  const polynomial = coefficients.reduce((value, coefficient) => (value + coefficient) * t, 0);
  return Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI) * polynomial;
}

/**
 * Upper quantile of Student's distribution: the value exceeded with a given probability, by default 2.5 %. Accurate within
 * 1e-4 of itself for probabilities down to 1e-5.
 *
 * @param freedom Degrees of freedom, 1 or more, which need not be whole.
 * @param tail The probability.
 */
export function studentQuantile(freedom: number, tail = 0.025): number {
  if (freedom > 30) {
    // Expansion around the normal quantile z (Abramowitz and Stegun 26.7.5).
    const z = quantileOfNormal(tail);
    return z + (z ** 3 + z) / (4 * freedom) +
      (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2) +
      (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * freedom ** 3) +
      (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) /
        (92160 * freedom ** 4);
  }
  // With t = sqrt(freedom) / tan(angle), the tail above t is the integral of sin^(freedom - 1) from 0 to the angle. It is convex,
  // so Newton's method descends from the right angle without leaving the interval.
  const wanted = 2 * tail * sinePowerIntegral(Math.PI / 2, freedom - 1);
  let angle = Math.PI / 2;
  for (let step = 1; step > 1e-9 * angle;) {
    step = (sinePowerIntegral(angle, freedom - 1) - wanted) / Math.sin(angle) ** (freedom - 1);
    angle -= step;
  }
  return Math.sqrt(freedom) / Math.tan(angle);
}

/**
 * How many times wider 95 % intervals must be for all of several to hold at once: each of p leaves out 5 % / p (Bonferroni).
 *
 * @param comparisons Number of intervals.
 * @param freedom Degrees of freedom of each: effective items - 1, or seeds - 1.
 */
export function simultaneousFactor(comparisons: number, freedom: number): number {
  return studentQuantile(freedom, 0.025 / comparisons) / studentQuantile(freedom);
}

/** The integral of sin^power from 0 to an angle, by Simpson's rule over the angle's root, which is smooth at 0. */
function sinePowerIntegral(angle: number, power: number): number {
  const intervals = 200, width = Math.sqrt(angle) / intervals;
  let total = 0;
  for (let i = 1; i <= intervals; i++) {
    const root = i * width;
    const weight = i === intervals ? 1 : i % 2 === 1 ? 4 : 2;
    total += weight * Math.sin(root * root) ** power * 2 * root;
  }
  return total * width / 3;
}

/** Upper quantile of the normal distribution, of a probability below a half. */
function quantileOfNormal(tail: number): number {
  let low = 0, high = 10;
  while (high - low > 1e-6) {
    const middle = (low + high) / 2;
    if (normalTail(middle) > tail) low = middle;
    else high = middle;
  }
  return low;
}

/** Quantile of sorted values, linear between neighbours. */
export function quantile(sorted: ArrayLike<number>, fraction: number): number {
  const position = fraction * (sorted.length - 1);
  const below = Math.floor(position), above = Math.ceil(position);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}
