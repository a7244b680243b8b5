/**
 * Properties of metrics that tables and figures need beyond their numbers. Evaluations, a layer above, provide them.
 */
import type { ItemSums } from "./paired_comparison.ts";
import type { RunFacts, RunRecord } from "./read_runs.ts";
import type { Metric } from "./records.ts";

/** Tells a metric from the others of its evaluation and model. */
export interface MetricKey {
  /** The measured quantity. */
  readonly measure: string;
  /** At which point, where there are several. */
  readonly at?: Metric["at"] | undefined;
  /** The model that it is a difference from. */
  readonly over?: string | undefined;
}

/** Axis whose points are the columns of a table. */
export interface MetricAxis {
  /** Which figure shows it: `distance`. */
  readonly figure: string;
  readonly label: string;
  /** Its unit; absent where it has none. */
  readonly unit?: string;
  /** The quantity measured at each point. */
  readonly measure: string;
}

/** A metric's place in the tables of its evaluation. */
export interface MetricLabel {
  /** Which table of the evaluation it stands in; empty: the first. */
  readonly part: string;
  /** Header of its column. */
  readonly header: string;
  /** Explanation beyond the header. */
  readonly meaning?: string;
  /** Its name in a sentence; absent: its name in records. */
  readonly noun?: string;
  /** Of metrics that have a point on an axis: that axis. */
  readonly axis?: MetricAxis;
  /** Whether it is a mean of scores from 0 to 1, and no difference of two such means. */
  readonly isProportion?: true;
  /** Whether it is a difference from the first model, as tables print them beside a number. */
  readonly isGain?: true;
  /** Whether figures of models show it in the place of the first metric. */
  readonly isMain?: true;
}

/** A model that an evaluation has measured, by their names in records. */
export type MeasuredModel = Pick<Metric, "evaluation" | "model">;

/** Knows the metrics of all evaluations. */
export interface MetricCatalog {
  /** The place of a metric that a run has recorded. */
  label(run: RunFacts, metric: Metric): MetricLabel;
  /** A model of an evaluation in a sentence: `the backbone alone`; its name where nobody knows it. */
  modelLabel(run: RunFacts, measured: MeasuredModel): string;
  /** Whether sweeps and findings are about a model of an evaluation, wherever it is measured. */
  isMain(run: RunFacts, measured: MeasuredModel): boolean;
  /** How much text a model of an evaluation predicts from, in words: `128 tokens and 4,096 in memory`; undefined where nobody knows it. */
  reach(run: RunFacts, measured: MeasuredModel): string | undefined;
  /** Whether a training adapts a backbone, which stays as it is. */
  isAdaptation(training: string): boolean;
  /** Whether an evaluation of a run starts processes of its own, which needs more permissions. */
  startsProcesses(run: RunFacts): boolean;
  /**
   * The sums of which it was computed, from the run's records of items.
   *
   * @returns undefined where the metric is not a ratio of sums, or the records do not give its value.
   */
  sums(run: RunRecord, metric: Metric): ItemSums | undefined;
  /** What the run's records of items give instead, by the same definition; undefined where that is not known to be something else. */
  contradiction(run: RunRecord, metric: Metric): Pick<Metric, "value" | "n"> | undefined;
}

/** A run with facts about it that its record does not hold, and with sums in the place of the records of items. */
export interface CataloguedRun extends RunFacts {
  /** The sums of which metrics were computed, as {@linkcode MetricCatalog.sums} gives them. */
  readonly sums: ReadonlyMap<Metric, ItemSums>;
  /** Whether one of its evaluations starts processes of its own, which needs more permissions. */
  readonly startsProcesses: boolean;
  /** Names of its trainings that adapt a backbone. */
  readonly adaptations: readonly string[];
  /** Recorded metrics that its records of items contradict, which are left out, and what these give. */
  readonly contradicted: readonly {
    readonly metric: Metric;
    readonly byItems: Pick<Metric, "value" | "n">;
  }[];
}

/** Whether two metrics of one evaluation and model are the same. */
export function isSameMetric(a: MetricKey, b: MetricKey): boolean {
  const points = [a.at ?? {}, b.at ?? {}], names = Object.keys(points[0]);
  return a.measure === b.measure && a.over === b.over &&
    names.length === Object.keys(points[1]).length &&
    names.every((name) => points[0][name] === points[1][name]);
}
