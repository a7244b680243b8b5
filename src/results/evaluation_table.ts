/**
 * Measurements of runs as tables: for each evaluation of an experiment models by metrics, seeds together.
 */
import { basename, dirname } from "node:path";
import { defined } from "../defined.ts";
import {
  compare,
  compareApart,
  type Difference,
  differingUnit,
  estimateOfSums,
  fewestItems,
  holdsZero,
  type ItemSums,
  overClusters,
  withBoth,
} from "./paired_comparison.ts";
import type { CataloguedRun, MetricAxis, MetricCatalog, MetricLabel } from "./metric_catalog.ts";
import type { Metric } from "./records.ts";
import { bySweptValues, replicaGroups, sweptHeadings, variations } from "./seed_groups.ts";
import { type DamagedRun, type RunRecord, seedOf } from "./read_runs.ts";
import { effectiveItems, mean, proportionInterval } from "../statistics/estimates.ts";
import { runCommandOf, type UnfinishedRun, unfinishedRuns } from "./resume_command.ts";

/** A number of a table: of one model, by one metric, over all seeds. */
export interface TableCell {
  /** The value; over several seeds their mean. */
  readonly value: number;
  /**
   * Standard error over items; over several seeds that of one of them (their root mean square); absent of a proportion that
   * is exactly 0 or 1, where it would be 0.
   */
  readonly stderr?: number;
  /** Sample standard deviation over seeds; absent for one. */
  readonly seedDeviation?: number;
  /**
   * 95 % interval over items, of a proportion that is exactly 0 or 1 Wilson's; of several seeds over all that there is, items
   * and seeds, as {@linkcode Difference.interval} is.
   */
  readonly ci95?: readonly [number, number];
  /** Independent units over which the standard error is computed: `8 documents` of each seed; absent if unknown. */
  readonly over?: { readonly count: number; readonly unit: string };
  /** Of which sums each seed's number was computed; absent where the records of items do not give it. */
  readonly sums?: readonly ItemSums[];
  /** Measurement of each seed, in the order of the row's seeds. */
  readonly metrics: readonly Metric[];
  /** Those seeds. */
  readonly seeds: readonly number[];
  /** How much more than the first model of the same runs; absent for that one, and where items cannot be paired. */
  readonly difference?: Difference;
  /** Whether every other row of the column is worse by more than noise. */
  readonly best: boolean;
}

/** A column: a metric and its place. */
export interface TableColumn
  extends MetricLabel, Pick<Metric, "name" | "unit" | "higherIsBetter" | "metricVersion"> {
  /** Its name in a sentence. */
  readonly noun: string;
}

/** A row: a model, in runs that differ in nothing but their seed. */
export interface TableRow {
  readonly runs: readonly CataloguedRun[];
  /** Values that distinguish the runs from those of other rows, by heading. */
  readonly variation: Readonly<Record<string, string>>;
  readonly model: string;
  /** The first model of the same runs, with which it is compared. */
  readonly baseline: string;
  /** Whether sweeps and findings are about it. */
  readonly isMain?: true;
  /** How much text it predicts from, in words; absent where nobody knows it. */
  readonly reach?: string;
  /** A number for each column; undefined where it was not measured. */
  readonly cells: readonly (TableCell | undefined)[];
}

/** A table of models by metrics. */
export interface EvaluationTable {
  readonly evaluation: string;
  /** Which part of its metrics; empty: the main ones. */
  readonly part: string;
  /** Model of the first row. */
  readonly baseline: string;
  /** Headings of the fields that vary between runs. */
  readonly varied: readonly string[];
  /** Full names of headings: the path of a swept field in the declaration. */
  readonly fields: Readonly<Record<string, string>>;
  /** Axis of its columns, where they are points of one. */
  readonly axis?: MetricAxis;
  readonly columns: readonly TableColumn[];
  readonly rows: readonly TableRow[];
}

/** All that is to be said of an experiment's numbers. */
export interface ExperimentTables {
  readonly experiment: string;
  readonly question?: string;
  /** Qualifications of its numbers: `scaled-down`, ... */
  readonly labels: readonly string[];
  readonly runs: readonly CataloguedRun[];
  readonly tables: readonly EvaluationTable[];
  /** Omissions from them, and how to fix these. */
  readonly remarks: readonly string[];
  /** Runs that are not completed. */
  readonly unfinished: readonly UnfinishedRun[];
}

/**
 * Arranges runs by experiment, in the order in which they come.
 *
 * @param damaged Runs that could not be read: a remark beside the tables of the others of their folder.
 */
export function experimentTables(
  all: readonly CataloguedRun[],
  catalog: MetricCatalog,
  damaged: readonly DamagedRun[] = [],
): ExperimentTables[] {
  return [...Map.groupBy(all, ({ summary }) => summary.experiment)].map(
    ([experiment, runs]) => {
      return defined({
        experiment,
        question: runs[0].summary.question,
        labels: labelsOf(runs),
        runs,
        tables: tablesOf(runs, catalog),
        remarks: [
          ...damageRemarks(runs, damaged),
          ...contradictionRemarks(runs),
          ...staleRemarks(runs),
          ...changedDataRemarks(runs),
        ],
        unfinished: unfinishedRuns(runs),
      });
    },
  );
}

/**
 * A run whose standard errors and intervals are computed from the records of its items, where there are any, so that runs that
 * were recorded with others can stand beside it; without numbers that these records contradict.
 */
export function catalogued(record: RunRecord, catalog: MetricCatalog): CataloguedRun {
  const { samples: _samples, ...facts } = record;
  const sumsOf = new Map<Metric, ItemSums>();
  const contradicted = record.summary.metrics.flatMap((metric) => {
    const byItems = catalog.contradiction(record, metric);
    return byItems === undefined ? [] : [{ metric, byItems }];
  });
  const isContradicted = new Set(contradicted.map(({ metric }) => metric));
  const kept = record.summary.metrics.filter((metric) => !isContradicted.has(metric));
  const metrics = kept.map((metric): Metric => {
    const sums = catalog.sums(record, metric);
    if (!sums) return metric;
    const { stderr: _stderr, ci95: _ci95, ...measured } = metric;
    const { stderr, ci95 } = estimateOfSums(sums);
    const recomputed = defined({ ...measured, stderr, ci95 });
    sumsOf.set(recomputed, sums);
    return recomputed;
  });
  return {
    ...facts,
    summary: { ...record.summary, metrics },
    sums: sumsOf,
    startsProcesses: catalog.startsProcesses(record),
    adaptations: [...new Set(record.training.map(({ phase }) => phase))].filter(
      catalog.isAdaptation,
    ),
    contradicted,
  };
}

function labelsOf(runs: readonly CataloguedRun[]): string[] {
  const scaledDown = runs.some(({ summary }) => summary.scale === "scaled-down");
  const limits = [...new Set(runs.flatMap(({ summary }) => summary.limit ?? []))]
    .sort((a, b) => a - b);
  const some = runs.every(({ summary }) => summary.limit !== undefined) ? "" : "some ";
  return [
    ...(scaledDown ? ["scaled-down"] : []),
    ...(limits.length > 0 ? [`${some}limited to ${limits.join(" or ")} items per evaluation`] : []),
  ];
}

/**
 * Metrics that were measured by an earlier version of the metric, of its model, or of the model that it is over, than in another of
 * the runs: numbers of two versions are never compared.
 */
function outdatedMetrics(runs: readonly CataloguedRun[]): Map<Metric, "metric" | "model"> {
  const newest = new Map<string, number>(), newestModels = new Map<string, number>();
  for (const metric of runs.flatMap(({ summary }) => summary.metrics)) {
    const key = metricKey(metric), model = modelKey(metric);
    newest.set(key, Math.max(metric.metricVersion, newest.get(key) ?? -Infinity));
    newestModels.set(model, Math.max(modelVersionOf(metric), newestModels.get(model) ?? -Infinity));
  }
  const outdated = new Map<Metric, "metric" | "model">();
  for (const { summary: { metrics } } of runs) {
    const models = new Set(
      metrics.filter((metric) => modelVersionOf(metric) < newestModels.get(modelKey(metric))!)
        .map(modelKey),
    );
    for (const metric of metrics) {
      const { evaluation, over: model = metric.model } = metric;
      const ofModel = models.has(modelKey(metric)) || models.has(modelKey({ evaluation, model }));
      if (metric.metricVersion < newest.get(metricKey(metric))!) outdated.set(metric, "metric");
      else if (ofModel) outdated.set(metric, "model");
    }
  }
  return outdated;
}

/** Version of the model; 1 in records from before its second. */
function modelVersionOf({ modelVersion = 1 }: Metric): number {
  return modelVersion;
}

function modelKey({ evaluation, model }: Pick<Metric, "evaluation" | "model">): string {
  return JSON.stringify([evaluation, model]);
}

function metricKey({ evaluation, name }: Pick<Metric, "evaluation" | "name">): string {
  return JSON.stringify([evaluation, name]);
}

/** Data that runs declare alike and have not read alike, as where a file has changed between them: their items are not the same. */
function changedDataRemarks(runs: readonly CataloguedRun[]): string[] {
  const read = runs.flatMap(({ summary: { run }, declaration = {}, environment }) => {
    const { corpus, tokenizer, evaluations } = declaration;
    return Object.entries(environment?.hashes ?? {}).flatMap(([data, sha256]) => {
      const declared = data.startsWith("corpus ")
        ? [corpus]
        : /^(items .*|squad|questions)$/.test(data)
        ? [corpus, tokenizer, evaluations]
        : undefined;
      return declared ? [{ run, data, sha256, key: JSON.stringify([data, declared]) }] : [];
    });
  });
  return [...Map.groupBy(read, ({ key }) => key).values()].flatMap((alike) => {
    const [first, ...others] = [...Map.groupBy(alike, ({ sha256 }) => sha256).values()];
    return others.map((other) =>
      `Run ${other[0].run} has read another "${other[0].data}" than run ${
        first[0].run
      }, which declares the same: ` +
      "their numbers are not of the same items"
    );
  });
}

function damageRemarks(runs: readonly CataloguedRun[], damaged: readonly DamagedRun[]): string[] {
  const folders = new Set(runs.map(({ path }) => dirname(path)));
  return damaged.filter(({ path }) => folders.has(dirname(path)))
    .map(({ path, reason }) => `Run ${basename(path)} is left out: ${reason}`);
}

/** Of each run and model the first number that records of items contradict, and how many others there are. */
function contradictionRemarks(runs: readonly CataloguedRun[]): string[] {
  return runs.flatMap((record) =>
    [...Map.groupBy(record.contradicted, ({ metric }) => modelKey(metric)).values()].map(
      ([{ metric, byItems }, ...others]) => {
        const { evaluation, model, name } = metric;
        const number = ({ value, n }: Pick<Metric, "value" | "n">) => `${value} (n = ${n})`;
        const more = others.length === 0 ? "" : ` and ${others.length} other numbers`;
        return `Run ${record.summary.run} is left out of ${name}${more} of ${model} in ${evaluation}, as its files disagree: ` +
          `it is ${number(metric)} by summary.json, ${
            number(byItems)
          } by samples; without summary.json, \`${runCommandOf(record)}\` measures it again`;
      },
    )
  );
}

function staleRemarks(runs: readonly CataloguedRun[]): string[] {
  const outdated = outdatedMetrics(runs);
  return runs.flatMap((record) => {
    const { metrics, run } = record.summary;
    const remark = (what: "metric" | "model", nameOf: (metric: Metric) => string) => {
      const names = new Set(metrics.filter((metric) => outdated.get(metric) === what).map(nameOf));
      if (names.size === 0) return [];
      return [
        `Run ${run} is left out of ${[...names].join(", ")}: it was measured by an earlier ` +
        `version of the ${what}, whose numbers are not comparable; \`${runCommandOf(record)}\` ` +
        "measures it again",
      ];
    };
    return [
      ...remark("metric", ({ evaluation, name }) => `${name} of ${evaluation}`),
      ...remark(
        "model",
        ({ evaluation, model, name, over }) =>
          `${over === undefined ? model : name} of ${evaluation}`,
      ),
    ];
  });
}

/** The headings that tell runs apart, without those whose values follow from the ones before, as of lists swept side by side. */
export function tellingFields(
  { varied, rows }: Pick<EvaluationTable, "varied" | "rows">,
): string[] {
  const kept: string[] = [];
  for (const name of varied) {
    const key = ({ variation }: TableRow) => JSON.stringify(kept.map((other) => variation[other]));
    const follows = kept.length > 0 &&
      [...Map.groupBy(rows, key).values()].every((alike) =>
        new Set(alike.map(({ variation }) => variation[name])).size === 1
      );
    if (!follows) kept.push(name);
  }
  return kept;
}

/** The model that a sweep is about: the main one, or else the last that was measured; undefined where none was. */
export function mainModel(rows: readonly TableRow[]): string | undefined {
  return (rows.find(({ isMain }) => isMain) ?? rows.at(-1))?.model;
}

function tablesOf(runs: readonly CataloguedRun[], catalog: MetricCatalog): EvaluationTable[] {
  const outdated = outdatedMetrics(runs);
  const groups = replicaGroups(runs).toSorted(bySweptValues);
  const headings = sweptHeadings(runs);
  const labels = variations(groups, headings);
  const all = runs.flatMap((run) =>
    run.summary.metrics.filter((metric) => !outdated.has(metric))
      .map((metric) => ({ ...metric, label: catalog.label(run, metric) }))
  );
  // Runs whose record does not say where a metric stands follow the last that does.
  const columns = new Map(all.map((metric) => [metricKey(metric), columnOf(metric)]));
  return [...Map.groupBy(all, ({ evaluation }) => evaluation)].flatMap(([evaluation, metrics]) => {
    const ofEvaluation = new Set(metrics.map((metric) => columns.get(metricKey(metric))!));
    return [...Map.groupBy(ofEvaluation, ({ part }) => part)].map(([part, ofPart]) => {
      const table = { evaluation, columns: withUniqueHeaders(ofPart) };
      const rows = groups.flatMap((group, i) =>
        groupRows(group, { ...table, outdated, catalog, variation: labels[i] })
      );
      return {
        ...table,
        columns: withUnits(table.columns, rows),
        part,
        baseline: metrics[0].model,
        varied: [...new Set(labels.flatMap((label) => Object.keys(label)))],
        fields: Object.fromEntries([...headings].map(([field, heading]) => [heading, field])),
        ...(ofPart[0].axis && { axis: ofPart[0].axis }),
        rows: withBest(rows, table.columns),
      };
    });
  });
}

function columnOf(metric: Metric & { readonly label: MetricLabel }): TableColumn {
  const { name, unit, higherIsBetter, metricVersion, label } = metric;
  return { noun: name, ...label, name, unit, higherIsBetter, metricVersion };
}

/** Columns under their names where headers are alike. */
function withUniqueHeaders(columns: readonly TableColumn[]): TableColumn[] {
  return columns.map((column) =>
    columns.some((other) => other !== column && other.header === column.header)
      ? { ...column, header: column.name }
      : column
  );
}

/** The rows of runs that differ in nothing but their seed: one for each model. */
function groupRows(
  group: readonly CataloguedRun[],
  table: {
    evaluation: string;
    columns: readonly TableColumn[];
    outdated: ReadonlyMap<Metric, unknown>;
    catalog: MetricCatalog;
    variation: Record<string, string>;
  },
): TableRow[] {
  const { evaluation, columns, outdated, catalog, variation } = table;
  const models = new Set(
    group.flatMap(({ summary }) => summary.metrics)
      .filter((metric) => metric.evaluation === evaluation)
      .map(({ model }) => model),
  );
  const rows: TableRow[] = [];
  for (const model of models) {
    const cells = columns.map((column, i) => {
      const measured = group.flatMap((run) => {
        const metric = run.summary.metrics.find((metric) =>
          metric.evaluation === evaluation && metric.model === model &&
          metric.name === column.name && !outdated.has(metric)
        );
        return metric ? [{ metric, sums: run.sums.get(metric), seed: seedOf(run) }] : [];
      });
      if (measured.length === 0) return undefined;
      const metrics = measured.map(({ metric }) => metric);
      const known = measured.flatMap(({ sums }) => sums ?? []);
      const ofAll = known.length === measured.length ? known : undefined;
      // A difference from the first model is not compared with it.
      const sums = metrics.some(({ over }) => over !== undefined) ? undefined : ofAll;
      const baseline = rows[0]?.cells[i];
      const difference = sums && baseline?.sums
        ? compare(sums, baseline.sums)
        : column.isGain
        ? ownDifference(metrics, ofAll)
        : undefined;
      const independent = sums?.map(overClusters);
      const over = independent && {
        count: Math.min(...independent.map(({ items }) => items.length)),
        unit: independent[0].unit ?? "items",
      };
      return defined({
        ...aggregate(metrics, { count: over?.count, isProportion: column.isProportion }),
        over,
        difference,
        sums,
        seeds: measured.map(({ seed }) => seed),
        best: false,
      });
    });
    if (!cells.some((cell) => cell)) continue;
    const isMain = group.some((run) => catalog.isMain(run, { evaluation, model }));
    const reach = catalog.reach(group[0], { evaluation, model });
    rows.push({
      ...{ runs: group, variation, model, baseline: rows[0]?.model ?? model },
      ...(isMain && { isMain }),
      ...(reach !== undefined && { reach }),
      cells,
    });
  }
  return rows;
}

/** The unit that two numbers count differently for the same seed, as the tokens of two vocabularies; undefined where they do not. */
export function otherUnit(first: TableCell, second: TableCell): string | undefined {
  for (const [i, sums] of (first.sums ?? []).entries()) {
    const others = second.sums?.[second.seeds.indexOf(first.seeds[i])];
    const unit = others && differingUnit(sums, others);
    if (unit !== undefined) return unit;
  }
  return undefined;
}

/** Columns that say which of them rows count in different units. */
function withUnits(columns: readonly TableColumn[], rows: readonly TableRow[]): TableColumn[] {
  return columns.map((column, i) => {
    const [first, ...others] = rows.flatMap(({ cells }) => cells[i] ?? []);
    const unit = others.map((other) => otherUnit(first, other)).find((unit) => unit !== undefined);
    if (unit === undefined) return column;
    const meaning = `settings count different ${unit}, and are not compared`;
    return { ...column, meaning: [column.meaning, meaning].filter(Boolean).join(", ") };
  });
}

/**
 * How much more a first model has of a metric than a second: item by item where there are records of the same items, or else by
 * their intervals; undefined where one of them was not measured, or without an interval, or they are in different units.
 */
export function compareCells(
  first: TableCell | undefined,
  second: TableCell | undefined,
): Difference | undefined {
  if (!first || !second || otherUnit(first, second) !== undefined) return undefined;
  const paired = first.sums && second.sums && compare(first.sums, second.sums);
  if (paired) return paired;
  const [estimate, other] = [first, second].map(({ value, ci95, metrics, over, sums }) =>
    defined({
      value,
      ci95,
      n: over?.count ?? Math.min(...metrics.map(({ n }) => n)),
      effective: sums && leastEffectiveItems(sums),
    })
  );
  return compareApart(estimate, other);
}

/**
 * How uncertain a metric is. Items of a proportion that is exactly 0 or 1 are all alike, so that its recorded standard error
 * is 0; the interval is Wilson's, also for a mean of fractions: no fraction is farther from the end than
 * the wrong answer that it would be.
 */
export function uncertaintyOf(
  { value, stderr, ci95, n }: Metric,
  { count = n, isProportion }: MetricNature,
): Pick<TableCell, "stderr" | "ci95"> {
  if (isProportion && isAllAlike({ value, stderr })) {
    return { ci95: proportionInterval(value * count, count) };
  }
  return defined({ stderr, ci95: ci95 && isProportion ? withinReach(ci95) : ci95 });
}

/** Properties of a metric beyond its record. */
interface MetricNature {
  /** How many independent parts its items belong to; absent where that is not known. */
  readonly count?: number | undefined;
  /** Whether it is a mean of scores from 0 to 1. */
  readonly isProportion?: boolean | undefined;
}

/** Clips an interval to the range of a proportion. */
function withinReach([low, high]: readonly [number, number]): readonly [number, number] {
  return [Math.max(0, low), Math.min(1, high)];
}

/** Whether all items of a proportion, or the only one, are right, or all wrong. */
function isAllAlike({ value, stderr }: { value: number; stderr?: number | undefined }): boolean {
  return (value === 0 || value === 1) && !stderr;
}

function aggregate(
  metrics: readonly Metric[],
  nature: MetricNature,
): Omit<TableCell, "best" | "seeds"> {
  const [first] = metrics, { isProportion } = nature;
  const ofFirst = { value: first.value, metrics, ...uncertaintyOf(first, nature) };
  if (metrics.length === 1) return ofFirst;
  if (
    isProportion && metrics.every((metric) => isAllAlike(metric) && metric.value === first.value)
  ) {
    return { ...ofFirst, seedDeviation: 0 };
  }
  const { value, stderr: ofMean, ci95: overSeeds } = mean(metrics.map(({ value }) => value));
  const overItems = intervalOfOne(
    metrics.map((metric) => ({ value: metric.value, ...uncertaintyOf(metric, nature) })),
  );
  const interval = overItems ? withBoth(value, overItems, overSeeds) : overSeeds!;
  const squares = metrics.flatMap(({ stderr }) => stderr === undefined ? [] : [stderr ** 2]);
  return {
    value,
    metrics,
    ...(squares.length === metrics.length && { stderr: Math.sqrt(mean(squares).value) }),
    seedDeviation: ofMean! * Math.sqrt(metrics.length),
    ci95: isProportion ? withinReach(interval) : interval,
  };
}

/**
 * The interval around the mean of several seeds that is as wide as that of one of them, by root mean square on each side: what
 * seeds share, their items, does not get more certain by more of them. Undefined where one of them has none.
 */
function intervalOfOne(
  seeds: readonly Pick<Metric, "value" | "ci95">[],
): [number, number] | undefined {
  const bounded = seeds.flatMap(({ value, ci95 }) => ci95 ? [{ value, ci95 }] : []);
  if (bounded.length < seeds.length) return undefined;
  const { value } = mean(bounded.map(({ value }) => value));
  const margin = (side: 0 | 1) =>
    Math.sqrt(mean(bounded.map(({ value, ci95 }) => (ci95[side] - value) ** 2)).value);
  return [value - margin(0), value + margin(1)];
}

/** Effective number of independent items in the seed that has fewest. */
function leastEffectiveItems(sums: readonly ItemSums[]): number {
  return Math.min(
    ...sums.map((ofSeed) => effectiveItems(overClusters(ofSeed).denominators)),
  );
}

/** A gain over a baseline is a paired difference already. */
function ownDifference(
  metrics: readonly Metric[],
  sums: readonly ItemSums[] | undefined,
): Difference | undefined {
  if (!metrics.every(({ ci95 }) => ci95)) return undefined;
  const { value, ci95: overSeeds } = mean(metrics.map(({ value }) => value));
  const independent = sums?.map(overClusters);
  const items = Math.min(
    ...independent?.map((ofSeed) => ofSeed.items.length) ?? metrics.map(({ n }) => n),
  );
  const differing = independent
    ? Math.max(...independent.map(({ numerators }) => numerators.filter((sum) => sum !== 0).length))
    : items;
  // Student's intervals know of few items; that of a single seed stands as it was recorded.
  const overItems = metrics.length === 1 ? metrics[0].ci95! : intervalOfOne(metrics)!;
  const interval = withBoth(value, overItems, overSeeds);
  return defined({
    value,
    overItems,
    overSeeds,
    interval,
    items,
    unit: independent?.[0].unit ?? "items",
    effective: sums ? leastEffectiveItems(sums) : items,
    differing,
    seeds: metrics.length,
    insideNoise: Math.min(items, differing) < fewestItems || holdsZero(interval),
  });
}

function withBest(rows: readonly TableRow[], columns: readonly TableColumn[]): TableRow[] {
  const best = columns.map(({ higherIsBetter }, i) => {
    const [first, ...others] = rows.flatMap(({ cells }) => cells[i] ?? [])
      .sort((a, b) => higherIsBetter ? b.value - a.value : a.value - b.value);
    if (!first?.sums || others.length === 0) return undefined;
    // No correction needed: requiring a win over every row is an intersection-union test, so the error rate stays at 5 %.
    // A number without an interval, such as the score of the commonest label, is exact for these items.
    const isBest = others.every((other) => {
      const { value, ci95 = [value, value] as const } = other;
      return compareCells(first, { ...other, ci95 })?.insideNoise === false;
    });
    return isBest ? first : undefined;
  });
  return rows.map((row) => ({
    ...row,
    cells: row.cells.map((cell, i) => cell && { ...cell, best: cell === best[i] }),
  }));
}
