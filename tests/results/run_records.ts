/**
 * Small runs for tests of tables and reports.
 */
import type { ItemSums } from "../../src/results/paired_comparison.ts";
import type { Metric, RunSummary, SampleRecord } from "../../src/results/records.ts";
import type { RunRecord } from "../../src/results/read_runs.ts";

/** A perplexity of a backbone, but for what changes. */
export function metric(change: Partial<Metric>): Metric {
  return {
    evaluation: "perplexity-test",
    model: "backbone",
    name: "perplexity",
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
export function scoreSums(
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
