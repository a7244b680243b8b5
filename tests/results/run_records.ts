/**
 * Small runs for tests of tables and reports.
 */
import {
  catalogued,
  type ExperimentTables,
  experimentTables,
} from "../../src/results/evaluation_table.ts";
import type { ItemSums } from "../../src/results/paired_comparison.ts";
import type { MetricCatalog, MetricLabel } from "../../src/results/metric_catalog.ts";
import type { Metric, RunSummary, SampleRecord } from "../../src/results/records.ts";
import type { RunRecord } from "../../src/results/read_runs.ts";

/** A perplexity of a backbone, but for what changes. */
export function metric(change: Partial<Metric>): Metric {
  return {
    evaluation: "perplexity-test",
    model: "backbone",
    name: "perplexity",
    measure: change.name ?? "perplexity",
    value: 24.1234,
    stderr: 0.3456,
    ci95: [23.2, 25.1],
    n: 13,
    unit: "",
    higherIsBetter: false,
    metricVersion: 1,
    ...change,
  };
}

/** What a test's run differs in. */
export interface RunChange extends Omit<Partial<RunRecord>, "summary"> {
  readonly summary?: Partial<RunSummary>;
}

/** The tables of runs by their records. */
export function tablesOf(
  records: readonly RunRecord[],
  catalog: MetricCatalog,
): ExperimentTables[] {
  return experimentTables(records.map((record) => catalogued(record, catalog)), catalog);
}

/** A completed run of a backbone and of LongMem, but for what changes. */
export function run({ summary, ...change }: RunChange = {}): RunRecord {
  return {
    path: `results/novels/${summary?.run ?? "m1024-seed1"}`,
    summary: {
      state: "completed",
      experiment: "novels",
      run: "m1024-seed1",
      scale: "scaled-down",
      metrics: [metric({}), metric({ model: "longmem", value: 21.5, stderr: 0.012 })],
      ...summary,
    },
    samples: new Map(),
    training: [],
    ...change,
  };
}

/** A run in which each model scored the same items, and its mean score is its accuracy. */
export function scoredRun(
  scores: Readonly<Record<string, readonly number[]>>,
  change: RunChange & { readonly metricVersion?: number } = {},
): RunRecord {
  const { metricVersion = 1, ...rest } = change;
  const metrics = Object.entries(scores).map(([model, values]) => {
    const { ci95: _ci95, ...plain } = metric({});
    return {
      ...plain,
      evaluation: "quiz",
      model,
      name: "accuracy",
      measure: "accuracy",
      value: values.reduce((sum, value) => sum + value, 0) / values.length,
      stderr: 0.05,
      n: values.length,
      higherIsBetter: true,
      metricVersion,
    };
  });
  const samples = Object.entries(scores).flatMap(([model, values]) =>
    values.map((value, i): SampleRecord => ({ model, item: `question ${i}`, accuracy: value }))
  );
  return run({
    samples: new Map([["quiz", samples]]),
    ...rest,
    summary: { metrics, ...rest.summary },
  });
}

/** The sums of a mean score. */
export function sumScores(
  { name }: Metric,
  samples: readonly SampleRecord[],
): ItemSums | undefined {
  if (samples.length === 0) return undefined;
  return {
    items: samples.map(({ item }) => item),
    numerators: samples.map((sample) => Number(sample[name])),
    denominators: samples.map(() => 1),
    exponential: false,
  };
}

/** Evaluations that start processes, to the catalogs below. */
export const timed: readonly unknown[] = [{ kind: "timed" }];

/** A catalog in which metrics have some sums, and those of which tests speak have their places. */
export function catalogOf(
  sums: (metric: Metric, samples: readonly SampleRecord[]) => ItemSums | undefined,
): MetricCatalog {
  return {
    label: placeOf,
    modelLabel: (_run, { model }) => `the ${model}`,
    isMain: (_run, { model }) => model === "longmem",
    reach: (_run, { model }) => model === "longmem" ? "8 tokens and 64 in memory" : undefined,
    isAdaptation: (training) => training !== "backbone",
    startsProcesses: ({ declaration }) => declaration?.evaluations === timed,
    sums: (run, metric) =>
      sums(
        metric,
        (run.samples.get(metric.evaluation) ?? []).filter(({ model }) => model === metric.model),
      ),
    contradiction: () => undefined,
  };
}

/** A catalog in which the metrics are mean scores. */
export const scoreSums: MetricCatalog = catalogOf(sumScores);

/** A catalog that knows nothing of items. */
export const noSums: MetricCatalog = catalogOf(() => undefined);

function placeOf(_run: RunRecord, { name }: Metric): MetricLabel {
  const part = (text: string, header: string): MetricLabel => ({ part: text, header });
  if (name.startsWith("gain over ")) return { ...part("", "gain"), isGain: true };
  if (name.startsWith("perplexity ")) {
    return part("perplexity by length in GPT-2 tokens", name.slice("perplexity ".length));
  }
  const [, measure, tokens] = /^(speed|peak memory) (\d+)$/.exec(name) ?? [];
  if (measure !== undefined) {
    const axis = { figure: measure, label: "context in sight", unit: "tokens", measure };
    return { ...part(`${measure}, by tokens in sight`, tokens), axis };
  }
  const isProportion = /^(accuracy|recall) ?/.test(name) && !name.includes(" over ");
  if (!isProportion) return part("", name);
  const [, kind, reach] = /^recall (\w+) (far|near)$/.exec(name) ?? [];
  const [, distance] = /^recall far (.*\d.*)$/.exec(name) ?? [];
  const place = distance !== undefined
    ? {
      ...part("far facts by distance in tokens", distance),
      axis: {
        figure: "distance",
        label: "distance",
        unit: "tokens",
        measure: "recall of far facts",
      },
    }
    : kind === "all"
    ? { ...part("", `${reach} facts`), noun: `recall of ${reach} facts` }
    : kind !== undefined
    ? part(`${reach} facts by kind`, kind)
    : { ...part("", name), ...(name.endsWith(" average") && { isMain: true as const }) };
  return { ...place, isProportion };
}
