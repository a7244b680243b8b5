/**
 * Measures of the same items asked after several draws of demonstrations. A draw moves all its items together, so that
 * standard errors are over draws; how one draw's accuracy varies with its items stands beside them.
 */
import { z } from "zod";
import type { MetricKey, MetricLabel } from "../../results/metric_catalog.ts";
import type { ItemSums } from "../../results/paired_comparison.ts";
import { type Estimate, mean, ratio, standardDeviation } from "../../statistics/estimates.ts";
import { clustersOf, differenceOfSums, type Draw, type Measure } from "../measure.ts";

/** A record as metrics need it. */
export const drawnRecord = z.looseObject({
  item: z.string(),
  task: z.string(),
  seed: z.number(),
  cluster: z.string().exactOptional(),
});

/** A record of an item that was asked after a draw of demonstrations. */
type DrawnRecord = z.infer<typeof drawnRecord>;

export interface DrawnMeasuresOptions<Record extends DrawnRecord> {
  /** The score of a record by measure: `accuracy`, `F1`. */
  readonly scores: Readonly<{ [measure: string]: (record: Record) => number }>;
  /** Whether measures are named after their task. */
  readonly namesTasks: boolean;
  /** Kind of draw: a seed, with the same items as every other; or a task with items of its own. */
  readonly draw: "seed" | "task";
}

/**
 * Measures of one model from its records. For each score and task:
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
export function drawnMeasures<Record extends DrawnRecord>(
  records: readonly Record[],
  { scores, namesTasks, draw }: DrawnMeasuresOptions<Record>,
): Measure[] {
  const tasks = [...Map.groupBy(records, ({ task }) => task)];
  return Object.entries(scores).flatMap(([measure, scoreOf]) => {
    const drawn = tasks.map(([task, ofTask]) => ({ task, draws: bySeed(ofTask, scoreOf) }));
    return [
      ...drawn.flatMap(({ task, draws }) =>
        taskMeasures(named(measure, namesTasks ? task : undefined), draws, draw)
      ),
      ...(draw === "seed" ? averageMeasures(measure, drawn.map(({ draws }) => draws)) : []),
    ];
  });
}

/** Names a measure of a task and its variants. */
function named(measure: string, task: string | undefined) {
  const at = task === undefined ? {} : { task }, name = task ? `${measure} ${task}` : measure;
  return {
    name,
    whole: { measure, name, ...(task !== undefined && { at }) },
    ofSeed: (seed: number) => ({
      measure,
      name: `${name} seed ${seed}`,
      at: { ...at, seed },
    }),
    gain: (by: string, estimate: (own: Measure, baseline: Measure) => Estimate) => ({
      measure: "gain",
      at: { of: measure, ...at, by },
      name: (baseline: string) => `gain over ${baseline} ${name} by ${by}`,
      estimate,
    }),
    deviations: (values: readonly number[]): Measure[] =>
      // One value has no deviation.
      values.length < 2 ? [] : (["sample", "population"] as const).map((definition) => ({
        measure: "seed deviation",
        at: { of: measure, ...at, definition },
        name: `${name} seed deviation (${definition})`,
        estimate: { value: standardDeviation(values, definition), n: values.length },
        higherIsBetter: false,
      })),
  };
}

function taskMeasures(
  { whole, ofSeed, gain, deviations }: ReturnType<typeof named>,
  draws: readonly Draw[],
  draw: "seed" | "task",
): Measure[] {
  const across = sumsOfQuestions(draws);
  const over: Measure = {
    ...whole,
    sums: {
      items: draws.map(({ seed }) => `draw ${seed}`),
      unit: "draws",
      numerators: draws.map(({ scores }) => sumOf(scores)),
      denominators: draws.map(({ scores }) => scores.length),
      exponential: false,
      ...(across && { across }),
    },
    n: draws.reduce((sum, { scores }) => sum + scores.length, 0),
    draws,
    differences: [
      gain(draw, overDraws),
      ...(draw === "seed" ? [gain("item", overItems)] : []),
    ],
  };
  if (draw === "task") return [over];
  return [
    over,
    ...deviations(draws.map(accuracy)),
    ...draws.map(({ seed, scores, clusters }) => ({
      ...ofSeed(seed),
      estimate: meanOver(scores, clusters?.names),
    })),
  ];
}

/** The average of tasks, each counted alike; none where tasks have not as many draws. */
function averageMeasures(measure: string, tasks: readonly (readonly Draw[])[]): Measure[] {
  const sums = averageSums(tasks);
  if (tasks.length < 2 || !sums) return [];
  const { whole, ofSeed, gain, deviations } = named(measure, "average");
  return [
    {
      ...whole,
      sums,
      n: tasks.flat().reduce((sum, { scores }) => sum + scores.length, 0),
      differences: [gain("seed", (own, baseline) => {
        const { n: _items, ...ofDraws } = own;
        return differenceOfSums(ofDraws, baseline);
      })],
    },
    ...deviations(sums.numerators),
    ...tasks[0].map(({ seed }, i) => ({
      ...ofSeed(seed),
      estimate: { value: sums.numerators[i], n: tasks.length },
    })),
  ];
}

/** The difference over draws, each with all its items. */
function overDraws(own: Measure, baseline: Measure): Estimate {
  const differences = pairedScores(own, baseline);
  return ratio(differences.map(sumOf), differences.map(({ length }) => length));
}

/** The difference over items, each with all its draws. */
function overItems(own: Measure, baseline: Measure): Estimate {
  const differences = pairedScores(own, baseline);
  return meanOver(
    differences[0].map((_, j) => mean(differences.map((scores) => scores[j])).value),
    own.draws?.[0].clusters?.names,
  );
}

/** The mean of scores; items of one cluster are not independent of each other. */
function meanOver(scores: readonly number[], clusters: readonly string[] | undefined): Estimate {
  return clusters ? ratio(scores, scores.map(() => 1), { clusters }) : mean(scores);
}

/** The differences of each draw's scores; both models were asked the same. */
function pairedScores({ draws: own = [] }: Measure, { draws: baseline = [] }: Measure): number[][] {
  return own.map(({ scores }, i) => scores.map((score, j) => score - baseline[i].scores[j]));
}

function bySeed<Record extends DrawnRecord>(
  records: readonly Record[],
  scoreOf: (record: Record) => number,
): Draw[] {
  return [...Map.groupBy(records, ({ seed }) => seed)].map(([seed, ofSeed]) => ({
    seed,
    items: ofSeed.map(({ item }) => item),
    ...clustersOf(ofSeed, "articles"),
    scores: ofSeed.map(scoreOf),
  }));
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
    ...(questions.every((sums) => sums?.clusters) && {
      clusters: {
        names: questions.flatMap(({ clusters }, i) =>
          clusters!.names.map((name) => `${i} ${name}`)
        ),
        unit: questions[0].clusters!.unit,
      },
    }),
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
    ...(first.clusters && { clusters: first.clusters }),
  };
}

/** Items there are for a measure, of those of each task, where not all were asked. */
export function totalOfDraws(
  { at, draws }: Measure,
  itemsOf: (task: string) => number | undefined,
): number | undefined {
  const total = draws && itemsOf(String(at?.task));
  return total === undefined ? undefined : total * draws!.length;
}

/** The place of a metric of this file in tables. */
export function drawnLabel({ measure, at = {} }: MetricKey): MetricLabel {
  const { of = measure, task, seed, by, definition } = at;
  // Of several tasks there is one measure, which goes without saying.
  const header = of === "accuracy" && task !== undefined ? String(task) : String(of);
  if (by !== undefined) {
    return { part: `gains over the first model, paired by ${by}`, header, isGain: true };
  }
  if (definition !== undefined) {
    return { part: `standard deviation over seeds (${definition})`, header };
  }
  if (seed !== undefined) {
    return {
      part: `${measure} of each seed`,
      header: task === undefined ? String(seed) : `${task} ${seed}`,
      isProportion: true,
    };
  }
  const isAverage = task === "average";
  return {
    part: "",
    header,
    isProportion: true,
    ...(isAverage && { isMain: true as const }),
    ...(task !== undefined && {
      noun: isAverage ? `${measure}, average of the tasks` : `${measure} on ${task}`,
    }),
  };
}
