/**
 * Metrics of evaluations as ratios of sums over their items, for comparisons item by item.
 */
import type { ItemSums } from "../results/paired_comparison.ts";
import { metricOf } from "../results/paired_comparison.ts";
import type { Metric, SampleRecord } from "../results/records.ts";
import { chapterBreakSums } from "./chapter_break.ts";
import { drawnSums } from "./shared/few_shot_metrics.ts";
import { needleSums } from "./needle.ts";
import { perplexitySums } from "./perplexity.ts";
import { recallSums } from "./recall.ts";

/**
 * The sums of which a metric was computed, from the records of one model's items.
 *
 * @returns undefined where the metric is no such ratio, or the records do not give its value.
 */
export function itemSums(metric: Metric, samples: readonly SampleRecord[]): ItemSums | undefined {
  const sums = needleSums(metric.name, samples) ?? perplexitySums(metric.name, samples) ??
    recallSums(metric.name, samples) ??
    chapterBreakSums(metric.name, samples) ?? drawnSums(metric.name, samples) ??
    scoreSums(metric.name, samples);
  if (!sums || sums.items.length === 0) return undefined;
  const computed = metricOf(sums);
  return Math.abs(computed - metric.value) <= 1e-9 * Math.abs(metric.value) ? sums : undefined;
}

/** A metric that is the mean of a score of each item: of that name, or whether it is `correct`. */
function scoreSums(name: string, samples: readonly SampleRecord[]): ItemSums | undefined {
  const key = name === "accuracy" ? "correct" : name;
  const scored = samples.every((sample) => ["number", "boolean"].includes(typeof sample[key]));
  if (!scored) return undefined;
  return {
    items: samples.map(({ item }) => item),
    numerators: samples.map((sample) => Number(sample[key])),
    denominators: samples.map(() => 1),
    exponential: false,
  };
}
