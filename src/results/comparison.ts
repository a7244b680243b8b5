/**
 * Differences between models that were scored on the same items, and whether they are more than noise.
 */
import { bootstrapInterval, mean } from "./statistics.ts";

/**
 * A metric as a ratio of two sums over items, so that any draw of the items gives it anew: nats and tokens of documents,
 * correct answers and questions of books.
 */
export interface ItemSums {
  /** Names of the items. */
  readonly items: readonly string[];
  /** What is summed above the line. */
  readonly numerators: readonly number[];
  /** What is summed below it. */
  readonly denominators: readonly number[];
  /** Whether the metric is e to the power of the ratio, as a perplexity is. */
  readonly exponential: boolean;
}

/** How much more a first model has of a metric than a second, on the same items. */
export interface Difference {
  /** First - second; over several seeds their mean. */
  readonly value: number;
  /** 95 % interval over items, by bootstrap; absent for fewer than {@linkcode fewestItems}. */
  readonly overItems?: readonly [number, number];
  /** 95 % interval over seeds, by Student's distribution; absent for a single seed. */
  readonly overSeeds?: readonly [number, number];
  /** Items of each seed. */
  readonly items: number;
  /** Seeds. */
  readonly seeds: number;
  /** Whether chance alone may have made it: an interval holds 0, or there is none. */
  readonly insideNoise: boolean;
}

/**
 * Fewer items prove nothing: if the first model wins on all of five, chance does the same to a coin in 2 of 32 tries, which
 * is more than 5 %. The bootstrap, which then never draws a loss, would not say so.
 */
export const fewestItems = 6;

/**
 * Compares two models by the same metric, item by item.
 *
 * Over items, all seeds' items are drawn alike, so that what the seeds share is not taken for independent. A difference is
 * outside the noise only if no interval that there is holds 0.
 *
 * @param first The first model: sums of each seed.
 * @param second The second, of the same seeds in the same order.
 * @returns undefined where seeds or items differ.
 */
export function compare(
  first: readonly ItemSums[],
  second: readonly ItemSums[],
): Difference | undefined {
  const paired = first.length === second.length && first.length > 0 &&
    first.every(({ items }, i) =>
      items.length === second[i].items.length &&
      items.every((item, j) => item === second[i].items[j])
    );
  if (!paired) return undefined;
  const perSeed = first.map((sums, i) => metricOf(sums) - metricOf(second[i]));
  const items = Math.min(...first.map((sums) => sums.items.length));
  const { value, ci95: overSeeds } = mean(perSeed);
  const drawable = items >= fewestItems && first.every((sums) => sums.items.length === items);
  const overItems = drawable
    ? bootstrapInterval(items, (indices) => {
      let total = 0;
      for (const [i, sums] of first.entries()) {
        total += metricOf(sums, indices) - metricOf(second[i], indices);
      }
      return total / first.length;
    }, { seed: 1 })
    : undefined;
  const intervals = [...(overItems ? [overItems] : []), ...(overSeeds ? [overSeeds] : [])];
  return {
    value,
    ...(overItems && { overItems }),
    ...(overSeeds && { overSeeds }),
    items,
    seeds: first.length,
    insideNoise: intervals.length === 0 || intervals.some(holdsZero),
  };
}

/** Whether an interval does not tell the sign of a difference. */
export function holdsZero([low, high]: readonly [number, number]): boolean {
  return low <= 0 && high >= 0;
}

/** The metric of all items, or of those drawn. */
export function metricOf(sums: ItemSums, indices?: ArrayLike<number>): number {
  const { numerators, denominators, exponential } = sums;
  const n = indices?.length ?? numerators.length;
  let numerator = 0, denominator = 0;
  for (let i = 0; i < n; i++) {
    const item = indices ? indices[i] : i;
    numerator += numerators[item];
    denominator += denominators[item];
  }
  const value = numerator / denominator;
  return exponential ? Math.exp(value) : value;
}
