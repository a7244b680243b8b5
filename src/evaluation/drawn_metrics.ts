/**
 * Metrics of the same items asked after several draws of demonstrations. A draw moves all its items together, so that
 * standard errors are over draws; how one draw's accuracy varies with its items stands beside them.
 */
import type { ItemSums } from "../results/comparison.ts";
import type { Metric, SampleRecord } from "../results/run_folder.ts";
import {
  type Estimate,
  mean,
  pairedDifference,
  ratio,
  standardDeviation,
} from "../results/statistics.ts";

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
  const metrics: Metric[] = [];
  const tasks = [...Map.groupBy(samples, ({ task }) => String(task))];
  const baselineTasks = baseline && Map.groupBy(baseline.samples, ({ task }) => String(task));
  for (const measure of measures) {
    const add = (name: string, estimate: Estimate, fields: Partial<Metric> = {}) => {
      const common = { ...labels, unit: "", higherIsBetter: true, metricVersion };
      metrics.push({ ...common, name, ...estimate, ...fields });
    };
    const addDeviations = (name: string, values: readonly number[]) => {
      if (values.length < 2) return;
      for (const kind of ["sample", "population"] as const) {
        const value = standardDeviation(values, kind);
        add(`${name} seed deviation (${kind})`, { value, n: values.length }, {
          higherIsBetter: false,
        });
      }
    };
    /** Of each task, what each seed comes to, and the baseline's. */
    const values: number[][] = [], baselineValues: number[][] = [];
    for (const [task, records] of tasks) {
      const name = namesTasks ? `${measure.name} ${task}` : measure.name;
      const draws = bySeed(records, measure);
      values.push(draws.map(accuracy));
      add(name, ratioOf(draws), {
        n: records.length,
        ...(total?.[task] === undefined ? {} : { total: total[task] * draws.length }),
      });
      if (draw === "seed") {
        addDeviations(name, draws.map(accuracy));
        for (const { seed, scores } of draws) add(`${name} seed ${seed}`, mean(scores));
      }
      const others = baselineTasks?.get(task);
      if (!others) continue;
      const baselineDraws = bySeed(others, measure);
      baselineValues.push(baselineDraws.map(accuracy));
      const gain = `gain over ${baseline!.model} ${name}`;
      const difference = draws.map(({ scores }, i) => {
        checkPaired(draws[i], baselineDraws[i]);
        return scores.map((score, j) => score - baselineDraws[i].scores[j]);
      });
      const counts = draws.map(({ scores }) => scores.length);
      add(`${gain} by ${draw}`, ratio(difference.map(sumOf), counts));
      if (draw === "seed") {
        const items = draws[0].items.map((_, j) => mean(difference.map((d) => d[j])).value);
        add(`${gain} by item`, mean(items));
      }
    }
    const seeds = values[0]?.length ?? 0;
    if (draw !== "seed" || tasks.length < 2 || values.some(({ length }) => length !== seeds)) {
      continue;
    }
    const average = averages(values), name = `${measure.name} average`;
    add(name, mean(average), { n: samples.length });
    addDeviations(name, average);
    average.forEach((value, i) =>
      add(`${name} seed ${bySeed(tasks[0][1], measure)[i].seed}`, { value, n: tasks.length })
    );
    if (baseline) {
      add(
        `gain over ${baseline.model} ${name} by seed`,
        pairedDifference(average, averages(baselineValues)),
      );
    }
  }
  return metrics;
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
  throw new RangeError(
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
function averages(values: readonly (readonly number[])[]): number[] {
  return values[0].map((_, seed) => mean(values.map((ofTask) => ofTask[seed])).value);
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

/** Sums over draws of the metrics over all draws; undefined for every other metric. */
export function drawnSums(name: string, samples: readonly SampleRecord[]): ItemSums | undefined {
  const [measure] = Object.keys(measureFields).filter((key) =>
    name === key || name.startsWith(`${key} `)
  );
  const drawn = samples.every(({ task, seed }) => task !== undefined && seed !== undefined);
  if (measure === undefined || !drawn) return undefined;
  const task = name.slice(measure.length + 1);
  const records = task === "" ? samples : samples.filter((sample) => sample.task === task);
  const draws = bySeed(records, { name: measure, field: measureFields[measure] });
  return {
    items: draws.map(({ seed }) => `draw ${seed}`),
    unit: "draws",
    numerators: draws.map(({ scores }) => sumOf(scores)),
    denominators: draws.map(({ scores }) => scores.length),
    exponential: false,
  };
}
