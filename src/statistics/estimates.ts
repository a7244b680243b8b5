/**
 * Numbers with their uncertainty. The items (documents, questions) are a sample of those that could
 * have been asked. They are independent of each other, unless they belong to clusters (stories of one book, questions about
 * one article): then only the clusters are. The tokens of one document never are.
 */
import { InputRangeError } from "../errors.ts";
import { normalQuantile, quantile, studentQuantile } from "./distributions.ts";

/** Which items belong together. */
export interface Clustering {
  /** The cluster of each item, in the order of the items; absent: every item is a cluster of its own. */
  readonly clusters?: readonly string[] | undefined;
}

/** A number with its uncertainty. */
export interface Estimate {
  /** The number. */
  readonly value: number;
  /** Standard error over items, or over their clusters; absent where a single one gives none. */
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
 * The ratio of two sums over items, R = sum(a) / sum(b), as negative log-likelihood per token.
 *
 * Its standard error is the jackknife's: without item i the ratio is R - d / (sum(b) - b), with the residuals d = a - R b, so
 * that stderr(R) = sqrt((n - 1) / n * sum((d / (sum(b) - b))^2)), n the items whose b is not 0; where all b are equal, that is
 * s / sqrt(n). The delta method, which divides by sum(b) alone, treats items that are much longer than others as nearly
 * known.
 *
 * The interval is R +- t * stderr(R), t the 97.5 % quantile of Student's distribution with m - 1 degrees of freedom, at least 1:
 * m = sum(b)^2 / sum(b^2) is the number of items of equal weight that carry as much information (Kish).
 *
 * Where items belong to clusters, a and b are first summed over each cluster, which then takes the place of the items in
 * everything but the number n of the result.
 *
 * Where a single item has all of the denominator, the result has no uncertainty.
 *
 * @throws {RangeError} Where lengths differ, there are no items, or denominators do not add up to more than 0.
 */
export function ratio(
  numerators: ArrayLike<number>,
  denominators: ArrayLike<number>,
  { clusters }: Clustering = {},
): Estimate {
  const n = numerators.length;
  const { value, leftOut, weights } = leaveOut(numerators, denominators, clusters);
  const counting = weights.filter((weight) => weight !== 0).length;
  if (counting === 1) return { value, n };
  return { value, ...uncertaintyOf(value, leftOut, counting, effectiveItems(weights)), n };
}

/** Sums over items, of which a ratio is taken. */
export interface RatioSums {
  /** Terms of the numerator. */
  readonly numerators: ArrayLike<number>;
  /** Terms of the denominator. */
  readonly denominators: ArrayLike<number>;
}

/**
 * The difference of two ratios of sums over the same items, sum(a) / sum(b) - sum(c) / sum(d), where b and d may differ: as
 * the shares of what each of two models was asked, 0 where it was asked nothing.
 *
 * Its standard error is the jackknife's, as that of {@linkcode ratio}, with which it agrees where b = d: without item i both
 * ratios are others, and so is their difference. The degrees of freedom are those of the ratio with fewer effective items. It has no
 * uncertainty where a single item has all of one of the denominators.
 *
 * @throws {RangeError} Where lengths differ, there are no items, or one's denominators do not add up to more than 0.
 */
export function ratioDifference(
  first: RatioSums,
  second: RatioSums,
  { clusters }: Clustering = {},
): Estimate {
  checkLengths(first.numerators, second.numerators);
  const n = first.numerators.length;
  const [own, other] = [first, second].map(({ numerators, denominators }) =>
    leaveOut(numerators, denominators, clusters)
  );
  const value = own.value - other.value;
  const counts = [own, other].map(({ weights }) => weights.filter((weight) => weight !== 0).length);
  if (counts.includes(1)) return { value, n };
  const leftOut = own.leftOut.map((deviation, i) => deviation - other.leftOut[i]);
  const counting = own.weights.filter((weight, i) => weight !== 0 || other.weights[i] !== 0).length;
  const effective = Math.min(effectiveItems(own.weights), effectiveItems(other.weights));
  return { value, ...uncertaintyOf(value, leftOut, counting, effective), n };
}

/** A ratio of sums, by how much each item, or cluster of them, moves it, and the denominator of each. */
function leaveOut(
  numerators: ArrayLike<number>,
  denominators: ArrayLike<number>,
  clusters: readonly string[] | undefined,
): { readonly value: number; readonly leftOut: number[]; readonly weights: number[] } {
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
  const [above, weights] = clusters
    ? [sumByCluster(numerators, clusters), sumByCluster(denominators, clusters)]
    : [Array.from(numerators), Array.from(denominators)];
  const leftOut = weights.map((weight, i) => (above[i] - value * weight) / (denominator - weight));
  return { value, leftOut, weights };
}

/** The jackknife's standard error and Student's interval. */
function uncertaintyOf(
  value: number,
  leftOut: readonly number[],
  counting: number,
  effective: number,
): Required<Pick<Estimate, "stderr" | "ci95">> {
  const squares = leftOut.map((deviation) => deviation ** 2);
  const stderr = Math.sqrt((counting - 1) / counting * sum(squares));
  const margin = studentQuantile(Math.max(1, effective - 1)) * stderr;
  return { stderr, ci95: [value - margin, value + margin] };
}

/**
 * Sums of values over each cluster, in the order in which clusters first occur.
 *
 * @throws {RangeError} Where there are not as many clusters as values.
 */
export function sumByCluster(values: ArrayLike<number>, clusters: readonly string[]): number[] {
  checkLengths(values, clusters);
  const sums = new Map<string, number>();
  clusters.forEach((cluster, i) => sums.set(cluster, (sums.get(cluster) ?? 0) + values[i]));
  return [...sums.values()];
}

/** Number of items of equal weight that carry as much information as items of these weights: sum(w)^2 / sum(w^2) (Kish). */
export function effectiveItems(weights: readonly number[]): number {
  return sum(weights) ** 2 / sum(weights.map((weight) => weight ** 2));
}

/**
 * Perplexity over documents, exp(sum nll / sum tokens), from the negative log-likelihood (nats) and the
 * tokens of each. The standard error follows from that of the exponent r by the delta method,
 * stderr(exp r) = exp(r) * stderr(r); the interval is that of r, exponentiated, and so not symmetric; either is
 * absent where no number holds it, as where a training has diverged.
 */
export function perplexity(
  nats: ArrayLike<number>,
  tokens: ArrayLike<number>,
  clustering: Clustering = {},
): Estimate {
  const { value, stderr, ci95, n } = ratio(nats, tokens, clustering);
  const result = Math.exp(value);
  if (stderr === undefined || ci95 === undefined) return { value: result, n };
  const error = result * stderr, interval = [Math.exp(ci95[0]), Math.exp(ci95[1])] as const;
  return {
    value: result,
    ...(Number.isFinite(error) && { stderr: error }),
    ...(interval.every(Number.isFinite) && { ci95: interval }),
    n,
  };
}

/**
 * How much more a first model scores than a second on the same items in the same order: the mean of
 * first - second, weighted by, say, the tokens of each document, sum(w x) / sum(w), with the standard error of a ratio,
 * since another sample of documents would have other weights too. The shared difficulty of an item cancels, so this is far
 * less uncertain than the difference of two means. For perplexities take nats per token, weighted by tokens: exp of the
 * result is the ratio of the perplexities.
 *
 * @param first Scores of the first model.
 * @param second Scores of the second model.
 * @param options Weight of each item (absent: all alike), and which belong together.
 */
export function pairedDifference(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  options: Clustering & { readonly weights?: ArrayLike<number> } = {},
): Estimate {
  checkLengths(first, second);
  const { weights = new Float64Array(first.length).fill(1) } = options;
  const weighted = Float64Array.from(first, (value, i) => (value - second[i]) * weights[i]);
  return ratio(weighted, weights, options);
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
      `Cannot compute the interval of a proportion as there must be 0 to n successes of n items: ` +
        `current values are ${successes} of ${n}`,
    );
  }
  const p = successes / n, squared = normalQuantile ** 2;
  const centre = p + squared / (2 * n);
  const margin = normalQuantile * Math.sqrt(p * (1 - p) / n + squared / (4 * n * n));
  const scale = 1 + squared / n;
  // Rounding must not push the bounds outside [0, 1].
  return [Math.max(0, (centre - margin) / scale), Math.min(1, (centre + margin) / scale)];
}

export interface SignTest {
  /** Items, or clusters, whose value is above 0. */
  readonly positive: number;
  /** Items, or clusters, that there are. */
  readonly n: number;
  /** Probability that one of the signs is as frequent as that, or more, where both are equally likely; values of 0 do not count. */
  readonly p: number;
}

/**
 * The sign test, two-sided and exact: whether values are above 0 more often, or more rarely, than below. Of clusters the sign is
 * that of the sum.
 */
export function signTest(values: ArrayLike<number>, { clusters }: Clustering = {}): SignTest {
  const signed = clusters ? sumByCluster(values, clusters) : Array.from(values);
  const positive = signed.filter((value) => value > 0).length;
  const negative = signed.filter((value) => value < 0).length;
  const n = positive + negative;
  // Binomial probabilities of at most `fewer` of n, by logarithms, as 0.5^n is 0 of many values.
  let log = -n * Math.LN2, tail = 0;
  for (let k = 0; k <= Math.min(positive, negative); k++) {
    tail += Math.exp(log);
    log += Math.log((n - k) / (k + 1));
  }
  return { positive, n: signed.length, p: Math.min(1, 2 * tail) };
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

function checkLengths(a: ArrayLike<unknown>, b: ArrayLike<unknown>): void {
  if (a.length !== b.length) {
    throw new InputRangeError(
      `Cannot pair items as their numbers differ: current values are ${a.length} and ${b.length}`,
    );
  }
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
