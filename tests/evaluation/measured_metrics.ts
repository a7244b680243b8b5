/**
 * Metrics as runs record them, computed from records of items.
 */
import { chapterBreak } from "../../src/evaluation/chapter_break.ts";
import { efficiency } from "../../src/evaluation/efficiency.ts";
import { type EvaluationKind, measuresOf } from "../../src/evaluation/evaluation_kind.ts";
import { type Measure, metricsOf } from "../../src/evaluation/measure.ts";
import { needle } from "../../src/evaluation/needle.ts";
import { perplexity } from "../../src/evaluation/perplexity.ts";
import { countRecalls, recall } from "../../src/evaluation/recall.ts";
import type { ItemSums } from "../../src/results/paired_comparison.ts";
import type { Metric, SampleRecord } from "../../src/results/records.ts";
import type { Recall } from "../../src/text/chronicle/recall.ts";

type MeasuringKind<Config, Item> = Pick<
  EvaluationKind<never, Config, Item>,
  "version" | "record" | "measures"
>;
type Labels = { readonly evaluation: string; readonly model: string; readonly total?: number };
type Baseline = { readonly model: string; readonly samples: readonly SampleRecord[] };

/** Metrics of a kind that takes its measures from records alone. */
export function recording<Config, Item>(kind: MeasuringKind<Config, Item>) {
  return ({ total, ...labels }: Labels, samples: readonly SampleRecord[], baseline?: Baseline) =>
    metricsWith(labels, {
      version: kind.version,
      total: () => total,
      measures: (records) => measuresOf(kind, records, undefined as Config),
    }, { samples, ...(baseline && { baseline }) });
}

export const perplexityMetrics = recording(perplexity);
export const chapterBreakMetrics = recording(chapterBreak);
export const needleMetrics = recording(needle);
export const efficiencyMetrics = recording(efficiency);

/** Metrics of recall; `all`: every book there is, where not all were read. */
export function recallMetrics(
  labels: Omit<Labels, "total">,
  samples: readonly SampleRecord[],
  { all, baseline }: {
    all?: readonly { readonly recalls: readonly Recall[] }[];
    baseline?: Baseline;
  } = {},
): Metric[] {
  return metricsWith(labels, {
    version: recall.version,
    total: (measure) =>
      all && (countRecalls(measure, all, Number(samples[0].contextTokens)) ?? all.length),
    measures: (records) => measuresOf(recall, records, undefined as never),
  }, { samples, ...(baseline && { baseline }) });
}

/** Metrics that follow from some measures. */
export function metricsWith(
  labels: Omit<Labels, "total">,
  { version, total, measures }: {
    readonly version: (measure: string) => number;
    readonly total?: (measure: Measure) => number | undefined;
    readonly measures: (records: readonly SampleRecord[]) => Measure[];
  },
  { samples, baseline }: { samples: readonly SampleRecord[]; baseline?: Baseline },
): Metric[] {
  return metricsOf(
    measures(samples),
    { ...labels, version, ...(total && { total }) },
    baseline && { model: baseline.model, measures: measures(baseline.samples) },
  );
}

/** The sums of the measure of that name; undefined where it has none. */
export function sumsOf<Config, Item>(
  kind: MeasuringKind<Config, Item>,
  name: string,
  samples: readonly SampleRecord[],
): ItemSums | undefined {
  return measuresOf(kind, samples, undefined as Config).find((measure) => measure.name === name)
    ?.sums;
}
