/**
 * Metrics of the same items asked after several draws of demonstrations. A draw moves all its items together, so that
 * standard errors are over draws; how one draw's accuracy varies with its items stands beside them.
 */
import type { ItemSums } from "../../results/paired_comparison.ts";
import type { Metric, SampleRecord } from "../../results/records.ts";
import {
  type Estimate,
  mean,
  pairedDifference,
  ratio,
  standardDeviation,
} from "../../statistics/estimates.ts";
import { InputRangeError } from "../../errors.ts";

/** A score of each item, of which metrics are means. */
export interface Measure {
  /** Name of the metric: `accuracy`. */
  readonly name: string;
  /** Field of the records, a number or a boolean. */
  readonly field: string;
}

/** What is measured, and how it is called. */
export interface DrawnMetricsOptions {
  readonly labels: { readonly evaluation: string; readonly model: string };
  readonly measures: readonly Measure[];
  readonly metricVersion: number;
  /** Whether metrics are named after their task. */
  readonly namesTasks: boolean;
  /** What a draw is: a seed, for the same items as every other; or a task with items of its own. */
  readonly draw: "seed" | "task";
  /** Items of each task, where not all were asked. */
  readonly total?: Readonly<Record<string, number>>;
  /** The first model and its records, of the same items after the same draws. */
  readonly baseline?: { readonly model: string; readonly samples: readonly SampleRecord[] };
}

/**
 * Metrics of one model from its records, which have the fields `item`, `task` and `seed`. For each measure and task:
 *
 * - `accuracy TASK`: over all draws, with the standard error over draws;
 * - `accuracy TASK seed SEED`: of one draw, with the standard error over items;
 * - `accuracy TASK seed deviation (sample)` and `(population)`: the standard deviation over seeds, by both definitions;
 * - `gain over MODEL accuracy TASK by seed` and `by item`: the paired difference to the baseline, with the standard error
 *   over seeds, each with all its items, and over items, each with all its seeds;
 *
 * and the same of the average over tasks, each counted alike, except by item. Where a draw is a task of its own, only the
 * first and the gain `by task` remain.
 */
export function drawnMetrics(
  samples: readonly SampleRecord[],
  options: DrawnMetricsOptions,
): Metric[] {
  const { labels, measures, metricVersion, namesTasks, draw, total, baseline } = options;
  const common = { ...labels, unit: "", higherIsBetter: true, metricVersion };
  const baselineTasks = baseline && Map.groupBy(baseline.samples, ({ task }) => String(task));
  const tasks = [...Map.groupBy(samples, ({ task }) => String(task))];
  return measures.flatMap((measure) => {
    const drawnTasks = tasks.map(([task, records]): DrawnTask => ({
      name: namesTasks ? `${measure.name} ${task}` : measure.name,
      draws: bySeed(records, measure),
      ...(baselineTasks && { baseline: bySeed(baselineTasks.get(task) ?? [], measure) }),
      ...(total?.[task] !== undefined && { total: total[task] }),
    }));
    const named: Named = { draw, gainOver: baseline && `gain over ${baseline.model}` };
    return [
      ...drawnTasks.flatMap((task) => taskMetrics(task, named)),
      ...averageMetrics(`${measure.name} average`, drawnTasks, named),
    ].map((metric) => ({ ...common, ...metric }));
  });
}

/** A task of which several draws were asked, and the first model's answers to the same. */
interface DrawnTask {
  readonly name: string;
  readonly draws: readonly Draw[];
  readonly baseline?: readonly Draw[];
  /** Items of a draw, where not all were asked. */
  readonly total?: number;
}

/** What stands in the names of metrics. */
interface Named extends Pick<DrawnMetricsOptions, "draw"> {
  /** Begins the names of differences to the first model. */
  readonly gainOver: string | undefined;
}

/** A metric without what all have in common. */
type NamedEstimate = Estimate & Pick<Metric, "name"> & Partial<Metric>;

function taskMetrics({ name, draws, baseline, total }: DrawnTask, named: Named): NamedEstimate[] {
  const { draw, gainOver } = named, isSeeded = draw === "seed";
  const metrics: NamedEstimate[] = [{
    name,
    ...ratioOf(draws),
    n: draws.reduce((sum, { scores }) => sum + scores.length, 0),
    ...(total !== undefined && { total: total * draws.length }),
  }];
  if (isSeeded) {
    metrics.push(
      ...deviations(name, draws.map(accuracy)),
      ...draws.map(({ seed, scores }) => ({ name: `${name} seed ${seed}`, ...mean(scores) })),
    );
  }
  if (!baseline) return metrics;
  const differences = draws.map((own, i) => {
    checkPaired(own, baseline[i]);
    return own.scores.map((score, j) => score - baseline[i].scores[j]);
  });
  const counts = draws.map(({ scores }) => scores.length);
  metrics.push({
    name: `${gainOver} ${name} by ${draw}`,
    ...ratio(differences.map(sumOf), counts),
  });
  if (isSeeded) {
    const ofItems = draws[0].items.map((_, j) => mean(differences.map((d) => d[j])).value);
    metrics.push({ name: `${gainOver} ${name} by item`, ...mean(ofItems) });
  }
  return metrics;
}

/** The average of tasks, each counted alike; none where draws are tasks, or tasks have not as many draws. */
function averageMetrics(
  name: string,
  tasks: readonly DrawnTask[],
  { draw, gainOver }: Named,
): NamedEstimate[] {
  const [first] = tasks;
  const isAverage = draw === "seed" && tasks.length > 1 &&
    tasks.every(({ draws }) => draws.length === first.draws.length);
  if (!isAverage) return [];
  const average = averages(tasks.map(({ draws }) => draws));
  const n = tasks.flatMap(({ draws }) => draws)
    .reduce((sum, { scores }) => sum + scores.length, 0);
  return [
    { name, ...mean(average), n },
    ...deviations(name, average),
    ...first.draws.map(({ seed }, i) => ({
      name: `${name} seed ${seed}`,
      value: average[i],
      n: tasks.length,
    })),
    ...(first.baseline
      ? [{
        name: `${gainOver} ${name} by seed`,
        ...pairedDifference(average, averages(tasks.map(({ baseline }) => baseline!))),
      }]
      : []),
  ];
}

/** How far draws lie apart, by both definitions; nothing of a single one. */
function deviations(name: string, values: readonly number[]): NamedEstimate[] {
  if (values.length < 2) return [];
  return (["sample", "population"] as const).map((kind) => ({
    name: `${name} seed deviation (${kind})`,
    value: standardDeviation(values, kind),
    n: values.length,
    higherIsBetter: false,
  }));
}

/** What a draw scored. */
interface Draw {
  readonly seed: number;
  readonly items: readonly string[];
  readonly scores: readonly number[];
}

function bySeed(records: readonly SampleRecord[], { field }: Measure): Draw[] {
  return [...Map.groupBy(records, ({ seed }) => Number(seed))].map(([seed, ofSeed]) => ({
    seed,
    items: ofSeed.map(({ item }) => item),
    scores: ofSeed.map((record) => Number(record[field])),
  }));
}

function checkPaired(first: Draw, second: Draw | undefined): void {
  if (
    second?.seed === first.seed && second.items.length === first.items.length &&
    first.items.every((item, i) => item === second.items[i])
  ) return;
  throw new InputRangeError(
    `Cannot compare with the first model as its items of draw ${first.seed} must be the same: ` +
      `current numbers are ${first.items.length} and ${second?.items.length ?? 0}`,
  );
}

function ratioOf(draws: readonly Draw[]): Estimate {
  return ratio(
    draws.map(({ scores }) => sumOf(scores)),
    draws.map(({ scores }) => scores.length),
  );
}

function accuracy({ scores }: Draw): number {
  return sumOf(scores) / scores.length;
}

/** For each seed the mean over tasks. */
function averages(tasks: readonly (readonly Draw[])[]): number[] {
  return tasks[0].map((_, i) => mean(tasks.map((draws) => accuracy(draws[i]))).value);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Fields of records by the measures that are means of them. */
const measureFields: Readonly<Record<string, string>> = {
  accuracy: "correct",
  "exact match": "exactMatch",
  F1: "f1",
};

/**
 * Sums over draws of the metrics over all draws, and across them over what they ask, where that is the same; undefined for
 * every other metric.
 */
export function drawnSums(name: string, samples: readonly SampleRecord[]): ItemSums | undefined {
  const [measure] = Object.keys(measureFields).filter((key) =>
    name === key || name.startsWith(`${key} `)
  );
  const drawn = samples.every(({ task, seed }) => task !== undefined && seed !== undefined);
  if (measure === undefined || !drawn) return undefined;
  const drawsOf = (records: readonly SampleRecord[]) =>
    bySeed(records, { name: measure, field: measureFields[measure] });
  const task = name.slice(measure.length + 1);
  if (task === "average") {
    return averageSums([...Map.groupBy(samples, ({ task }) => String(task)).values()].map(drawsOf));
  }
  const draws = drawsOf(task === "" ? samples : samples.filter((sample) => sample.task === task));
  const across = sumsOfQuestions(draws);
  return {
    items: draws.map(({ seed }) => `draw ${seed}`),
    unit: "draws",
    numerators: draws.map(({ scores }) => sumOf(scores)),
    denominators: draws.map(({ scores }) => scores.length),
    exponential: false,
    ...(across && { across }),
  };
}

/** The sums of an average of tasks, each counted alike; undefined where they have not as many draws. */
function averageSums(tasks: readonly (readonly Draw[])[]): ItemSums | undefined {
  if (tasks.some((draws) => draws.length !== tasks[0].length)) return undefined;
  const questions = tasks.map(sumsOfQuestions);
  const across = questions.every((sums) => sums !== undefined) && {
    items: questions.flatMap(({ items }, i) => items.map((item) => `${i} ${item}`)),
    unit: "questions",
    numerators: questions.flatMap(({ numerators }) =>
      numerators.map((sum) => sum / numerators.length)
    ),
    denominators: questions.flatMap(({ denominators }) =>
      denominators.map((sum) => sum / denominators.length)
    ),
    exponential: false,
  };
  return {
    items: tasks[0].map(({ seed }) => `draw ${seed}`),
    unit: "draws",
    numerators: averages(tasks),
    denominators: tasks[0].map(() => 1),
    exponential: false,
    ...(across && { across }),
  };
}

/** Sums over questions; undefined where draws do not ask the same. */
function sumsOfQuestions(draws: readonly Draw[]): ItemSums | undefined {
  const [first, ...others] = draws;
  const areSame = others.length > 0 &&
    others.every(({ items }) =>
      items.length === first.items.length && items.every((item, i) => item === first.items[i])
    );
  if (!areSame) return undefined;
  return {
    items: first.items,
    unit: "questions",
    numerators: first.items.map((_, i) => sumOf(draws.map(({ scores }) => scores[i]))),
    denominators: first.items.map(() => draws.length),
    exponential: false,
  };
}
