/**
 * Numbers with their uncertainty. The items (documents, questions) are a sample of those that could
 * have been asked, and are independent of each other; the tokens of one document are not.
 */
import { InputRangeError } from "../errors.ts";

/** A number with its uncertainty. */
export interface Estimate {
  /** The number. */
  readonly value: number;
  /** Standard error over items; absent where a single item gives none. */
  readonly stderr?: number;
  /** 95 % confidence interval; absent likewise. */
  readonly ci95?: readonly [number, number];
  /** Items it was computed from. */
  readonly n: number;
}

/**
 * The mean over items, with the standard error s / sqrt(n), s the sample standard deviation.
 *
 * @throws {RangeError} Where there are no values.
 */
export function mean(values: ArrayLike<number>): Estimate {
  return ratio(values, new Float64Array(values.length).fill(1));
}

/**
 * The standard deviation of values: `sample` divides by n - 1 (and needs two values), `population` by n.
 *
 * @throws {RangeError} Where there are too few values.
 */
export function standardDeviation(
  values: ArrayLike<number>,
  kind: "sample" | "population",
): number {
  const n = values.length, divisor = kind === "sample" ? n - 1 : n;
  if (divisor < 1) {
    throw new InputRangeError(
      `Cannot take a ${kind} standard deviation as there are too few values: current number is ${n}`,
    );
  }
  const average = sum(values) / n;
  return Math.sqrt(sum(Float64Array.from(values, (value) => (value - average) ** 2)) / divisor);
}

/**
 * The mean of values weighted by, say, the tokens of each document: sum(w x) / sum(w), with the
 * standard error of a ratio, since another sample of documents would have other weights too.
 *
 * @throws {RangeError} Where lengths differ, there are no values, or weights do not add up to more than 0.
 */
export function weightedMean(values: ArrayLike<number>, weights: ArrayLike<number>): Estimate {
  checkLengths(values, weights);
  return ratio(Float64Array.from(values, (value, i) => value * weights[i]), weights);
}

/**
 * The ratio of two sums over items, R = sum(a) / sum(b), as negative log-likelihood per token.
 *
 * Its standard error is the jackknife's: without item i the ratio is R - d / (sum(b) - b), with the residuals d = a - R b, so
 * that stderr(R) = sqrt((n - 1) / n * sum((d / (sum(b) - b))^2)), n the items whose b is not 0; where all b are equal, that is
 * s / sqrt(n). The delta method, which divides by sum(b) alone, takes items that are much longer than others for as good as
 * known.
 *
 * The interval is R +- t * stderr(R), t the 97.5 % quantile of Student's distribution, of as many items of equal weight as tell
 * as much: m = sum(b)^2 / sum(b^2) (Kish), so that degrees of freedom are m - 1, at least 1.
 *
 * Where all that is divided by is one item's, no uncertainty is told.
 *
 * @throws {RangeError} Where lengths differ, there are no items, or denominators do not add up to more than 0.
 */
export function ratio(
  numerators: ArrayLike<number>,
  denominators: ArrayLike<number>,
): Estimate {
  checkLengths(numerators, denominators);
  const n = numerators.length;
  const denominator = sum(denominators);
  if (n === 0 || !(denominator > 0)) {
    throw new InputRangeError(
      `Cannot divide sums over items as there is nothing to divide by: current values are ${n} ` +
        `items with denominators adding up to ${denominator}, allowed are sums above 0`,
    );
  }
  const value = sum(numerators) / denominator;
  const weights = Array.from(denominators);
  const counting = weights.filter((weight) => weight !== 0).length;
  if (counting === 1) return { value, n };
  const squares = weights.map((weight, i) =>
    ((numerators[i] - value * weight) / (denominator - weight)) ** 2
  );
  const stderr = Math.sqrt((counting - 1) / counting * sum(squares));
  const margin = studentQuantile(Math.max(1, effectiveItems(weights) - 1)) * stderr;
  return { value, stderr, ci95: [value - margin, value + margin], n };
}

/** Items of equal weight that tell as much as items of these weights: sum(w)^2 / sum(w^2) (Kish). */
export function effectiveItems(weights: readonly number[]): number {
  return sum(weights) ** 2 / sum(weights.map((weight) => weight ** 2));
}

/**
 * Perplexity over documents, exp(sum nll / sum tokens), from the negative log-likelihood (nats) and the
 * tokens of each. The standard error follows from that of the exponent r by the delta method,
 * stderr(exp r) = exp(r) * stderr(r); the interval is that of r, exponentiated, and so not symmetric.
 */
export function perplexity(nats: ArrayLike<number>, tokens: ArrayLike<number>): Estimate {
  const { value, stderr, ci95, n } = ratio(nats, tokens);
  const result = Math.exp(value);
  if (stderr === undefined || ci95 === undefined) return { value: result, n };
  return {
    value: result,
    stderr: result * stderr,
    ci95: [Math.exp(ci95[0]), Math.exp(ci95[1])],
    n,
  };
}

/**
 * How much more a first model scores than a second on the same items in the same order: the weighted
 * mean of first - second. What makes an item hard for both cancels, so this is far less uncertain than
 * the difference of two means. For perplexities take nats per token, weighted by tokens: exp of the
 * result is the ratio of the perplexities.
 *
 * @param first Scores of the first model.
 * @param second Scores of the second model.
 * @param weights Weight of each item; absent: all alike.
 */
export function pairedDifference(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  weights?: ArrayLike<number>,
): Estimate {
  checkLengths(first, second);
  const differences = Float64Array.from(first, (value, i) => value - second[i]);
  return weights ? weightedMean(differences, weights) : mean(differences);
}

/**
 * The 95 % interval of a proportion by Wilson's score: never empty, also where all items are alike and a standard error
 * is 0. Of n successes in n it is [n / (n + z^2), 1], z = 1.96.
 *
 * @param successes How many items are right.
 * @param n How many items there are, independent of each other.
 * @throws {RangeError} Where there are no items, or more successes than items.
 */
export function proportionInterval(successes: number, n: number): [number, number] {
  if (!(n > 0 && successes >= 0 && successes <= n)) {
    throw new InputRangeError(
      `Cannot tell the interval of a proportion as there must be 0 to n successes of n items: ` +
        `current values are ${successes} of ${n}`,
    );
  }
  const p = successes / n, squared = normalQuantile ** 2;
  const centre = p + squared / (2 * n);
  const margin = normalQuantile * Math.sqrt(p * (1 - p) / n + squared / (4 * n * n));
  const scale = 1 + squared / n;
  // What rounding leaves must not leave the possible numbers.
  return [Math.max(0, (centre - margin) / scale), Math.min(1, (centre + margin) / scale)];
}

/** How a bootstrap draws. */
export interface BootstrapOptions {
  /** Equal seeds give equal intervals. */
  readonly seed: number;
  /** Samples drawn (default 2000). */
  readonly resamples?: number;
  /** Items of equal weight that tell as much, where some count for more than others: {@linkcode effectiveItems} (default n). */
  readonly effective?: number;
}

/**
 * The 95 % interval of any statistic over items by the bootstrap: items are drawn with replacement, n of
 * n, again and again; the interval leaves out the smallest and the largest results.
 *
 * Of many items, it leaves out 2.5 % on each side. Of few, results vary too little, as those of a standard
 * deviation that divides by n rather than n - 1 and of a normal rather than Student's distribution, so that
 * less is left out: Phi(-sqrt(n / (n - 1)) t), t the 97.5 % quantile of Student's distribution with n - 1
 * degrees of freedom (the expanded percentile interval of Hesterberg, arXiv 1411.5279), n being `effective`.
 *
 * @param n Number of items.
 * @param statistic The statistic of the items with these indices, n of them.
 * @param options Seed and number of samples.
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
  const { seed, resamples = 2000, effective = n } = options;
  const next = randomFractions(seed);
  const indices = new Uint32Array(n);
  const results = new Float64Array(resamples);
  for (let i = 0; i < resamples; i++) {
    for (let j = 0; j < n; j++) indices[j] = Math.floor(next() * n);
    results[i] = statistic(indices);
  }
  results.sort();
  const leftOut = effective > 1
    ? normalTail(
      Math.sqrt(effective / (effective - 1)) * studentQuantile(Math.max(1, effective - 1)),
    )
    : 0;
  return [quantile(results, leftOut), quantile(results, 1 - leftOut)];
}

/**
 * How many times wider 95 % intervals must be for all of several to hold at once: each of p leaves out 5 % / p (Bonferroni).
 *
 * @param comparisons How many there are.
 * @param freedom Degrees of freedom of each: items - 1, or seeds - 1.
 */
export function simultaneousFactor(comparisons: number, freedom: number): number {
  return studentQuantile(freedom, 0.025 / comparisons) / studentQuantile(freedom);
}

/** How much of the normal distribution is above z >= 0, within 1e-7 (Abramowitz and Stegun 26.2.17). */
function normalTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const coefficients = [1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.31938153];
  const polynomial = coefficients.reduce((value, coefficient) => (value + coefficient) * t, 0);
  return Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI) * polynomial;
}

/** Quantile of sorted values, linear between neighbours. */
function quantile(sorted: ArrayLike<number>, fraction: number): number {
  const position = fraction * (sorted.length - 1);
  const below = Math.floor(position), above = Math.ceil(position);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}

/** Sum by pairs: the error does not grow with the number of values. */
function sum(values: ArrayLike<number>, from = 0, to = values.length): number {
  if (to - from <= 8) {
    let total = 0;
    for (let i = from; i < to; i++) total += values[i];
    return total;
  }
  const middle = (from + to) >> 1;
  return sum(values, from, middle) + sum(values, middle, to);
}

function checkLengths(a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length !== b.length) {
    throw new InputRangeError(
      `Cannot pair items as their numbers differ: current values are ${a.length} and ${b.length}`,
    );
  }
}

/** 97.5 % quantile of the normal distribution. */
const normalQuantile = 1.959964;

/**
 * Quantile of Student's distribution: what is exceeded with some probability, by default 2.5 %. Within 1e-4 of itself for
 * probabilities down to 1e-5.
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
  // With t = sqrt(freedom) / tan(angle), what is above t is the integral of sin^(freedom - 1) from 0 to the angle. That is convex,
  // so that Newton's method comes down from the right angle without leaving the interval.
  const wanted = 2 * tail * sinePowerIntegral(Math.PI / 2, freedom - 1);
  let angle = Math.PI / 2;
  for (let step = 1; step > 1e-9 * angle;) {
    step = (sinePowerIntegral(angle, freedom - 1) - wanted) / Math.sin(angle) ** (freedom - 1);
    angle -= step;
  }
  return Math.sqrt(freedom) / Math.tan(angle);
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

/** What the normal distribution exceeds with some probability below a half. */
function quantileOfNormal(tail: number): number {
  let low = 0, high = 10;
  while (high - low > 1e-6) {
    const middle = (low + high) / 2;
    if (normalTail(middle) > tail) low = middle;
    else high = middle;
  }
  return low;
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

/**
 * The median, with the interval between two order statistics that holds the true one with 95 % or more, whatever the
 * distribution (binomial, as narrow as that allows); absent for fewer than 6 values, which allow none.
 *
 * @throws {RangeError} Where there are no values.
 */
export function median(values: ArrayLike<number>): Estimate {
  const n = values.length;
  if (n === 0) throw new RangeError("Cannot take the median of no values");
  const sorted = Float64Array.from(values).sort();
  // The largest k with P(at most k - 1 of n values are below the median) <= 2.5 %; by logarithms, as 0.5^n is 0 of many values.
  let k = 0;
  for (let log = -n * Math.LN2, below = Math.exp(log); below <= 0.025;) {
    k++;
    log += Math.log((n - k + 1) / k);
    below += Math.exp(log);
  }
  return {
    value: quantile(sorted, 0.5),
    ...(k > 0 && { ci95: [sorted[k - 1], sorted[n - k]] as const }),
    n,
  };
}
