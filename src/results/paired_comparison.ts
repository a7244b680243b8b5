/**
 * Differences between models that were scored on the same items, and whether they are more than noise.
 */
import { defined } from "../defined.ts";
import { bootstrapInterval } from "../statistics/bootstrap.ts";
import { simultaneousFactor } from "../statistics/distributions.ts";
import {
  effectiveItems,
  type Estimate,
  mean,
  perplexity,
  ratio,
  sumByCluster,
} from "../statistics/estimates.ts";

/**
 * A metric as a ratio of two sums over items, so that it can be computed for any draw of the items: nats and tokens of
 * documents, correct answers and questions of books.
 */
export interface ItemSums {
  readonly items: readonly string[];
  /** Name of the items in the plural: `documents` (default `items`). */
  readonly unit?: string;
  /** Terms of the numerator. */
  readonly numerators: readonly number[];
  /** Terms of the denominator. */
  readonly denominators: readonly number[];
  /** Whether the metric is e to the power of the ratio, as a perplexity is. */
  readonly exponential: boolean;
  /**
   * Units of the denominators, in the plural, of a metric that is a number for each unit: `tokens` for nats a token. Metrics
   * over different units, such as the tokens of two vocabularies, are not compared. Absent: items are counted.
   */
  readonly perUnit?: string;
  /** Which items belong together, such as the stories of one book: then only the clusters are independent of each other. */
  readonly clusters?: {
    /** The cluster of each item. */
    readonly names: readonly string[];
    /** The unit of clusters, in the plural: `works`. */
    readonly unit: string;
  };
  /** The same metric as sums over the questions, where all items ask the same ones, as draws do. */
  readonly across?: ItemSums;
}

/** How much more a first model has of a metric than a second, on the same items. */
export interface Difference {
  /** First - second; over several seeds their mean. */
  readonly value: number;
  /**
   * 95 % interval over items, by bootstrap; absent for fewer than {@linkcode fewestItems}. Where all items ask the same, over
   * items and the questions they share: on each side the root of the sum of their squares.
   */
  readonly overItems?: readonly [number, number];
  /** 95 % interval over seeds, by Student's distribution; absent for a single seed. */
  readonly overSeeds?: readonly [number, number];
  /**
   * 95 % interval over all that there is, items and seeds: on each side the root of the sum of their squares, as chances that
   * are independent add up. Where each seed has items of its own, seeds vary by these, too, and it is wider than it need be.
   */
  readonly interval?: readonly [number, number];
  /** Independent items of each seed, or clusters of them. */
  readonly items: number;
  /** Their unit, in the plural: `documents`, `works`. */
  readonly unit: string;
  /** Number of items of equal weight that carry as much information: the degrees of freedom of the interval over items, plus 1. */
  readonly effective: number;
  /** True where it is also over the questions that items share. */
  readonly isCrossed?: true;
  /** True where numbers were compared, and not item by item. */
  readonly isApart?: true;
  /** Items on which the models differ, in any of the seeds. */
  readonly differing: number;
  /** Seeds. */
  readonly seeds: number;
  /** Whether chance alone may have made it: the interval holds 0, or the models differ on too few items to tell. */
  readonly insideNoise: boolean;
}

/**
 * Fewer items on which two models differ prove nothing: if the first model wins on all of five, chance does the same to a coin
 * in 2 of 32 tries, which is more than 5 %, however many items they agree on. The bootstrap, which then hardly ever draws a
 * loss, would not say so.
 */
export const fewestItems = 6;

/**
 * Compares two models by the same metric, item by item.
 *
 * Over items, all seeds' items are drawn alike, so that shared effects of the seeds are not taken for independent. Where seeds differ
 * in their number of items, these are items of their own, and drawn for each seed.
 *
 * Draws of the same questions share the bias of this choice of questions; so the difference is compared over
 * questions, too, and is noise if it is noise over either.
 *
 * @param first The first model: sums of each seed.
 * @param second The second, of the same seeds in the same order.
 * @returns undefined where seeds or items differ.
 */
export function compare(
  first: readonly ItemSums[],
  second: readonly ItemSums[],
): Difference | undefined {
  const isClustered = [...first, ...second].some(({ clusters }) => clusters);
  if (isClustered) return compare(first.map(overClusters), second.map(overClusters));
  const paired = first.length === second.length && first.length > 0 &&
    first.every(({ items }, i) =>
      items.length === second[i].items.length &&
      items.every((item, j) => item === second[i].items[j])
    );
  if (!paired) return undefined;
  const pairs = first.map((sums, i) => ({ sums, others: second[i] }));
  const perSeed = pairs.map(({ sums, others }) => metricOf(sums) - metricOf(others));
  const items = Math.min(...first.map((sums) => sums.items.length));
  const { value, ci95: overSeeds } = mean(perSeed);
  const haveSameItems = first.every((sums) => sums.items.length === items);
  const effective = haveSameItems
    ? effectiveItemsOf(pairs)
    : Math.min(...pairs.map((pair) => effectiveItemsOf([pair])));
  const overDrawn = items < fewestItems
    ? undefined
    : haveSameItems
    ? bootstrapInterval(items, (indices) => differenceOf(pairs, indices), { seed: 1, effective })
    : combined(pairs.map((pair, i) => ({
      value: perSeed[i],
      interval: bootstrapInterval(
        pair.sums.items.length,
        (indices) => differenceOf([pair], indices),
        { seed: i + 1, effective: effectiveItemsOf([pair]) },
      ),
    })));
  const isCrossed = [...first, ...second].every(({ across }) => across);
  const across = isCrossed
    ? compare(first.map(({ across }) => across!), second.map(({ across }) => across!))
    : undefined;
  const overItems = overDrawn && across
    ? across.overItems && withBoth(value, overDrawn, across.overItems)
    : overDrawn;
  const interval = overItems && withBoth(value, overItems, overSeeds);
  const differing = Math.max(...pairs.map(differingItems));
  return defined({
    value,
    overItems,
    overSeeds,
    interval,
    items,
    unit: first[0].unit ?? "items",
    effective: Math.min(effective, across?.effective ?? Infinity),
    isCrossed: across && true as const,
    differing,
    seeds: first.length,
    insideNoise: !interval || differing < fewestItems || holdsZero(interval) ||
      across?.insideNoise === true,
  });
}

/** A number that was measured by itself. */
export interface SeparateEstimate extends Pick<Estimate, "value" | "ci95" | "n"> {
  /** Number of items of equal weight that carry as much information (default n). */
  readonly effective?: number;
}

/**
 * Compares two numbers that were measured each by itself, or of whose items there are no records. An item's difficulty for
 * both models does not cancel, so that the interval is wider than it need be: on each side the root of the sum of the squares
 * of the widths of their intervals on that side (Zou and Donner 2008).
 *
 * @returns undefined where one has no interval.
 */
export function compareApart(
  first: SeparateEstimate,
  second: SeparateEstimate,
): Difference | undefined {
  if (!first.ci95 || !second.ci95) return undefined;
  const value = first.value - second.value, items = Math.min(first.n, second.n);
  const interval = [
    value - Math.hypot(first.value - first.ci95[0], second.ci95[1] - second.value),
    value + Math.hypot(first.ci95[1] - first.value, second.value - second.ci95[0]),
  ] as const;
  return {
    value,
    interval,
    items,
    unit: "items",
    effective: Math.min(first.effective ?? first.n, second.effective ?? second.n),
    isApart: true,
    differing: items,
    seeds: 1,
    insideNoise: items < fewestItems || holdsZero(interval),
  };
}

/**
 * A difference that is one of several, of which the largest is reported: its interval holds for all of them at once. The parts
 * over items and over seeds are each widened by their own degrees of freedom, those over items by the effective number.
 */
export function amongSeveral(difference: Difference, comparisons: number): Difference {
  const { value, overItems, overSeeds, effective, seeds, insideNoise } = difference;
  if (!difference.interval) return difference;
  const widened = ([low, high]: readonly [number, number], n: number): [number, number] => {
    const factor = simultaneousFactor(comparisons, Math.max(1, n - 1));
    return [value + factor * (low - value), value + factor * (high - value)];
  };
  const interval = overItems
    ? withBoth(value, widened(overItems, effective), overSeeds && widened(overSeeds, seeds))
    : widened(difference.interval, effective);
  return { ...difference, interval, insideNoise: insideNoise || holdsZero(interval) };
}

/** The sums of two models of one seed. */
interface Pair {
  readonly sums: ItemSums;
  readonly others: ItemSums;
}

/** The same sums over clusters of items, in the order in which clusters first occur. */
export function overClusters(sums: ItemSums): ItemSums {
  const { clusters, numerators, denominators, ...others } = sums;
  if (!clusters) return sums;
  const { names, unit } = clusters;
  return {
    ...others,
    items: [...new Set(names)],
    unit,
    numerators: sumByCluster(numerators, names),
    denominators: sumByCluster(denominators, names),
  };
}

/** Effective number of the items of several seeds: an item is weighted by its share of the denominators. */
function effectiveItemsOf(pairs: readonly Pair[]): number {
  const [{ sums }] = pairs;
  return effectiveItems(
    sums.items.map((_, i) => pairs.reduce((sum, { sums }) => sum + sums.denominators[i], 0)),
  );
}

/** The mean difference of some draw of items. */
function differenceOf(pairs: readonly Pair[], indices: ArrayLike<number>): number {
  let total = 0;
  for (const { sums, others } of pairs) {
    total += metricOf(sums, indices) - metricOf(others, indices);
  }
  return total / pairs.length;
}

/** The interval of a mean of independent differences, each with its own. */
function combined(
  parts: readonly { readonly value: number; readonly interval: readonly [number, number] }[],
): [number, number] {
  const value = mean(parts.map((part) => part.value)).value;
  const margin = (side: 0 | 1) =>
    Math.hypot(...parts.map((part) => part.interval[side] - part.value)) / parts.length;
  return [value - margin(0), value + margin(1)];
}

/** The interval over items and, where there are several, seeds. */
export function withBoth(
  value: number,
  overItems: readonly [number, number],
  overSeeds: readonly [number, number] | undefined,
): readonly [number, number] {
  if (!overSeeds) return overItems;
  const margin = (side: 0 | 1) => Math.hypot(overItems[side] - value, overSeeds[side] - value);
  return [value - margin(0), value + margin(1)];
}

/** The unit that two metrics count differently on the same items, as the tokens of two vocabularies; undefined where they do not. */
export function differingUnit(first: ItemSums, second: ItemSums): string | undefined {
  if (first.perUnit === undefined) return undefined;
  const counts = new Map(second.items.map((item, i) => [item, second.denominators[i]]));
  const differs = first.items.some((item, i) => {
    const count = first.denominators[i];
    return (counts.get(item) ?? count) !== count;
  });
  return differs ? first.perUnit : undefined;
}

function differingItems({ sums, others }: Pair): number {
  return sums.items.filter((_, i) =>
    sums.numerators[i] * others.denominators[i] !== others.numerators[i] * sums.denominators[i]
  ).length;
}

/** Whether an interval does not tell the sign of a difference. */
export function holdsZero([low, high]: readonly [number, number]): boolean {
  // Not a number: it decides nothing.
  return Number.isNaN(low + high) || low <= 0 && high >= 0;
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

/** The ratio of sums over items, or its exponential, with its uncertainty. */
export function estimateOfSums(
  { numerators, denominators, exponential, clusters }: ItemSums,
): Estimate {
  return (exponential ? perplexity : ratio)(numerators, denominators, {
    clusters: clusters?.names,
  });
}
