/**
 * Measures: the numbers that an evaluation takes from its records, and the metrics that follow from them.
 */
import { defined } from "../defined.ts";
import type { MetricKey } from "../results/metric_catalog.ts";
import { isSameMetric } from "../results/metric_catalog.ts";
import { estimateOfSums, type ItemSums } from "../results/paired_comparison.ts";
import type { Metric } from "../results/records.ts";
import { type Estimate, ratio, ratioDifference } from "../statistics/estimates.ts";

/** A number of one model, computed from its records of items. */
export interface Measure extends Omit<MetricKey, "over"> {
  /** Its name in records. */
  readonly name: string;
  /** Unit of the value; absent: a plain number. */
  readonly unit?: string;
  /** Direction of improvement; absent: higher is better. */
  readonly higherIsBetter?: boolean;
  /** The sums over items of which it is the ratio, or its exponential; absent where it is none, as a median. */
  readonly sums?: ItemSums;
  /** The number with its uncertainty; absent: that of the sums. */
  readonly estimate?: Estimate;
  /** Number of items, where the sums are over something else. */
  readonly n?: number;
  /** The scores behind it, where it is over draws of demonstrations. */
  readonly draws?: readonly Draw[];
  /** Differences from the first model that are recorded. */
  readonly differences?: readonly MeasuredDifference[];
}

/** Scores of a draw of demonstrations. */
export interface Draw {
  readonly seed: number;
  readonly items: readonly string[];
  /** Which items belong together, such as questions about one article. */
  readonly clusters?: ItemSums["clusters"];
  readonly scores: readonly number[];
}

/** How a measure of a model is compared with the same of the first model. */
export interface MeasuredDifference extends Partial<Omit<MetricKey, "over">> {
  /** Its name in records, over a model. */
  readonly name: (baseline: string) => string;
  /** Unit of the value; absent: a plain number. */
  readonly unit?: string;
  /** Direction of improvement; absent: that of the measure. */
  readonly higherIsBetter?: boolean;
  /** The difference of two models on the same items; absent: that of its sums. */
  readonly estimate?: (own: Measure, baseline: Measure) => Estimate;
  /** The sums of which it is the ratio, where there are such. */
  readonly sums?: (own: ItemSums, baseline: ItemSums) => ItemSums | undefined;
}

/** Whose metrics they are, and by which definition. */
export interface MetricLabels {
  readonly evaluation: string;
  readonly model: string;
  /** Version of a measure's definition. */
  readonly version: (measure: string) => number;
  /** Version of how the model answers, where it has one. */
  readonly modelVersion?: number | undefined;
  /** Items there are for a measure; undefined where all were scored. */
  readonly total?: (measure: Measure) => number | undefined;
}

/** The metrics of a model: its measures, then their differences from those of the first model. */
export function metricsOf(
  measures: readonly Measure[],
  { evaluation, model, version, modelVersion, total }: MetricLabels,
  baseline?: { readonly model: string; readonly measures: readonly Measure[] },
): Metric[] {
  const metricOf = (
    key: MetricKey & { readonly name: string },
    { value, stderr, ci95, n }: Estimate,
    { unit = "", higherIsBetter = true, total }: {
      readonly unit?: string | undefined;
      readonly higherIsBetter?: boolean | undefined;
      readonly total: number | undefined;
    },
  ): Metric =>
    defined({
      evaluation,
      model,
      name: key.name,
      measure: key.measure,
      at: key.at,
      over: key.over,
      value,
      stderr,
      ci95,
      n,
      total,
      unit,
      higherIsBetter,
      metricVersion: version(key.measure),
      modelVersion,
    });
  return [
    ...measures.map((measure) =>
      metricOf({ ...measure, over: undefined }, estimateOf(measure), {
        ...measure,
        total: total?.(measure),
      })
    ),
    ...measures.flatMap((measure) => {
      const other = baseline?.measures.find((candidate) => isSameMetric(candidate, measure));
      if (!baseline || !other) return [];
      return (measure.differences ?? []).map((difference) =>
        metricOf(
          {
            name: difference.name(baseline.model),
            measure: difference.measure ?? measure.measure,
            at: difference.at ?? measure.at,
            over: baseline.model,
          },
          difference.estimate?.(measure, other) ??
            estimateOfSums(difference.sums!(measure.sums!, other.sums!)!),
          {
            unit: difference.unit,
            higherIsBetter: difference.higherIsBetter ?? measure.higherIsBetter,
            total: difference.at ? undefined : total?.(measure),
          },
        )
      );
    }),
  ];
}

/** The number of a measure with its uncertainty. */
function estimateOf({ sums, estimate, n }: Measure): Estimate {
  const computed = estimate ?? estimateOfSums(sums!);
  return n === undefined ? computed : { ...computed, n };
}

/** The difference of two ratios of sums, paired by item; items that count for one of the models alone add nothing to the other's sums. */
export function differenceOfSums(own: Measure, baseline: Measure): Estimate {
  const first = own.sums!, second = baseline.sums!;
  const isShared = [[first.items, second.items], [first.denominators, second.denominators]]
    .every(([a, b]) => a.length === b.length && a.every((value, i) => value === b[i]));
  const estimate = isShared
    ? ratio(first.numerators.map((sum, i) => sum - second.numerators[i]), first.denominators, {
      clusters: first.clusters?.names,
    })
    : differenceOfOthers(first, second);
  return own.n === undefined ? estimate : { ...estimate, n: own.n };
}

/** The same where items or denominators differ, as where each model was asked something else of a document. */
function differenceOfOthers(first: ItemSums, second: ItemSums): Estimate {
  const items = [...new Set([...first.items, ...second.items])];
  const [own, other] = [first, second].map((sums) => {
    const places = new Map(sums.items.map((item, i) => [item, i]));
    const along = (values: readonly number[]) =>
      items.map((item) => values[places.get(item)!] ?? 0);
    return {
      numerators: along(sums.numerators),
      denominators: along(sums.denominators),
      clusterOf: (item: string) => sums.clusters?.names[places.get(item)!],
    };
  });
  const clusters = items.flatMap((item) => own.clusterOf(item) ?? other.clusterOf(item) ?? []);
  return ratioDifference(own, other, clusters.length === items.length ? { clusters } : {});
}

/**
 * Sums over the items of records, in the order in which these first occur.
 *
 * @param options.of The item of a record (default: its own).
 * @param options.unit Name of the items in the plural.
 * @param options.perUnit Units of the denominator, as {@linkcode ItemSums.perUnit} has them.
 * @param options.clusters The same of their clusters, where records name these.
 */
export function sumsOver<
  Record extends { readonly item: string; readonly cluster?: string | undefined },
>(
  records: readonly Record[],
  {
    of = ({ item }) => item,
    unit,
    numerator,
    denominator = () => 1,
    exponential = false,
    perUnit,
    clusters = "works",
  }: {
    readonly of?: (record: Record) => string;
    readonly unit: string;
    readonly numerator: (record: Record) => number;
    readonly denominator?: (record: Record) => number;
    readonly exponential?: boolean;
    readonly perUnit?: string;
    readonly clusters?: string;
  },
): ItemSums {
  const groups = Map.groupBy(records, of), ofItems = [...groups.values()];
  const sumsOf = (value: (record: Record) => number) =>
    ofItems.map((own) => own.reduce((sum, record) => sum + value(record), 0));
  return {
    items: [...groups.keys()],
    unit,
    numerators: sumsOf(numerator),
    denominators: sumsOf(denominator),
    exponential,
    ...(perUnit !== undefined && { perUnit }),
    ...clustersOf(ofItems.map(([first]) => first), clusters),
  };
}

/** How much more a model has of a measure than the first model: the difference of two ratios of sums, paired by item. */
export function differenceOf(name: string): MeasuredDifference {
  return { name: (baseline) => `${name} over ${baseline}`, estimate: differenceOfSums };
}

/** The clusters of items that records name, where all of them do; `unit`: their name in the plural. */
export function clustersOf(
  records: readonly { readonly cluster?: string | undefined }[],
  unit: string,
): Pick<ItemSums, "clusters"> {
  const names = records.flatMap(({ cluster }) => cluster ?? []);
  return records.length > 0 && names.length === records.length ? { clusters: { names, unit } } : {};
}

/** Whether a number is the recorded one, rounding apart. */
export function isRecorded(value: number, recorded: number): boolean {
  return Math.abs(value - recorded) <= 1e-9 * Math.max(1, Math.abs(recorded));
}
