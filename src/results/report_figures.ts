/**
 * The figures of a report.
 */
import { defined } from "../defined.ts";
import {
  type EvaluationTable,
  type ExperimentTables,
  mainModel,
  type TableCell,
  type TableColumn,
  type TableRow,
  tellingFields,
} from "./evaluation_table.ts";
import {
  dotChart,
  type FigureAxis,
  type LineChart,
  lineChart,
  mostSeries,
  type Series,
} from "./figure.ts";
import { fieldNoun } from "./field_nouns.ts";
import type { CataloguedRun } from "./metric_catalog.ts";
import { type RunFacts, seedOf } from "./read_runs.ts";
import type { MetricsRecord } from "./records.ts";
import { replicaGroups, sweptHeadings, unsweptLabels, variations } from "./seed_groups.ts";

/** A figure and the name of its file. */
export interface ReportFigure {
  /** Name, without ending. */
  readonly name: string;
  readonly svg: string;
}

/** Draws the figures of an experiment: models, swept fields, distances and lengths, trainings. */
export function reportFigures({ tables, runs }: ExperimentTables): ReportFigure[] {
  return withFileNames([
    ...tables.flatMap((table) => [
      ...(table.part === "" ? [...modelFigure(table), ...sweptFigures(table)] : []),
      ...columnFigure(table),
    ]),
    ...trainingFigures(runs),
  ]);
}

/**
 * Figures with names that are those of files, whatever records call their evaluations and trainings: no folders, no step out of
 * one, and no two alike.
 */
function withFileNames(figures: readonly ReportFigure[]): ReportFigure[] {
  const taken = new Set<string>();
  return figures.map(({ name, svg }) => {
    const plain = name.replaceAll(/[^A-Za-z0-9_-]+/g, "-").slice(0, 100);
    let free = plain;
    for (let i = 2; taken.has(free.toLowerCase()); i++) free = `${plain}-${i}`;
    taken.add(free.toLowerCase());
    return { name: free, svg };
  });
}

/** The column of figures of models and of sweeps: the average of tasks where there is one, or else the first. */
function mainColumn({ columns }: EvaluationTable): number {
  return Math.max(0, columns.findIndex(({ isMain }) => isMain));
}

function measured({ value, stderr, ci95 }: TableCell) {
  return defined({ value, stderr, ci95 });
}

function valueAxis(
  { noun, unit, isProportion }: TableColumn,
  label = noun,
  domain?: FigureAxis["domain"],
): FigureAxis {
  return { label, unit, ...(domain && { domain }), ...(isProportion && { domain: [0, 1] }) };
}

/** The main metric of each model; nothing where there is one model, or rows are of several variations. */
function modelFigure(table: EvaluationTable): ReportFigure[] {
  const { evaluation, rows, varied } = table;
  const main = mainColumn(table), column = table.columns[main];
  const points = rows.flatMap(({ model, cells }) =>
    cells[main] ? [{ category: model, ...measured(cells[main]) }] : []
  );
  if (varied.length > 0 || points.length < 2) return [];
  const values = points.map(({ value }) => value), least = Math.min(...values);
  const isWide = !column.isProportion && least > 0 && Math.max(...values) > 8 * least;
  return [{
    name: `${evaluation}-models`,
    svg: dotChart({
      title: `${evaluation}: ${column.noun}`,
      value: { ...valueAxis(column), ...(isWide && { scale: "log2" }) },
      series: [{ name: "", points }],
    }),
  }];
}

/**
 * The main metric against each field that a sweep varies: a line for each model or, where other fields vary too, for each of
 * their values; dots where values are not numbers. Fields whose values follow from another's have no figure of their own.
 */
function sweptFigures(table: EvaluationTable): ReportFigure[] {
  const main = mainColumn(table), column = table.columns[main];
  const fields = tellingFields(table).filter((name) => !unsweptLabels.has(name));
  return fields.flatMap((field) => {
    const swept = table.rows.filter((row) => row.cells[main] && row.variation[field] !== undefined);
    const values = new Set(swept.map(({ variation }) => variation[field]));
    if (values.size < 2) return [];
    const axis = fieldNoun(table.fields[field] ?? field);
    const isNumeric = [...values].every((value) => value.trim() !== "" && isFinite(Number(value)));
    const others = fields.filter((other) => other !== field);
    const settings = groupsBySetting(table, { rows: swept, fields: others });
    const value = valueAxis(column, column.noun, sharedDomain(settings, [main]));
    return settings.map((group) => {
      const { groups, ...legend } = legendOf(table, group);
      const series = groups.map(([name, rows]) => ({
        name,
        points: rows.map(({ variation: { [field]: category }, cells }) => (
          { category, x: Number(category), ...measured(cells[main]!) }
        )),
      }));
      const title = `${table.evaluation}: ${column.noun} by ${axis.label}${group.title}`;
      return {
        name: `${table.evaluation}-${slug(field)}${slug(group.title)}`,
        svg: isNumeric
          ? lineChart({ ...legend, title, ...alongNumbers(series, axis), y: value })
          : dotChart({ ...legend, title, series, value }),
      };
    });
  });
}

/**
 * Draws a table whose columns are points of an axis, such as recall by distance: a line for each model or, in a sweep, for
 * each setting of the main model.
 */
function columnFigure(table: EvaluationTable): ReportFigure[] {
  const { evaluation, columns, rows, axis } = table;
  if (!axis) return [];
  const headers = columns.map(({ header }) => header), xs = headers.map(middleOf);
  const [column] = columns;
  const settings = groupsBySetting(table, { rows, fields: tellingFields(table) });
  const domain = sharedDomain(settings, [...columns.keys()], column.unit !== "");
  const y = valueAxis(column, axis.measure, domain);
  return settings.flatMap((group) => {
    const { groups, ...legend } = legendOf(table, group);
    const series = groups.map(([name, [{ cells }]]) => ({
      name,
      points: cells.flatMap((cell, i) => {
        const asked = Math.min(...cell?.metrics.map(({ n }) => n) ?? [0]);
        const isKnown = !columns[i].isProportion || asked >= fewestQuestions;
        return cell && isKnown && xs[i] !== undefined ? [{ x: xs[i], ...measured(cell) }] : [];
      }),
    })).filter(({ points }) => points.length > 1);
    if (series.length === 0) return [];
    return [{
      name: `${evaluation}-${slug(axis.figure)}${slug(group.title)}`,
      svg: lineChart({
        ...legend,
        title: `${evaluation}: ${axis.measure} by ${axis.label}${group.title}`,
        ...alongNumbers(series, axis, (x) => headers[xs.indexOf(x)]),
        y: { ...y, ...(column.unit !== "" && { fromZero: true }) },
      }),
    }];
  });
}

/** The ends of the axis that several figures have in common, so that they compare; undefined of one figure. */
function sharedDomain(
  settings: readonly RowGroup[],
  columns: readonly number[],
  fromZero = false,
): [number, number] | undefined {
  if (settings.length < 2) return undefined;
  const cells = settings.flatMap(({ rows }) =>
    rows.flatMap((row) => columns.map((i) => row.cells[i]))
  );
  const ends = cells.flatMap((cell) => cell ? cell.ci95 ?? [cell.value] : []);
  return [Math.min(...ends, ...(fromZero ? [0] : [])), Math.max(...ends)];
}

/** Rows of one figure. */
interface RowGroup {
  readonly rows: readonly TableRow[];
  /** Fields whose values tell the lines apart. */
  readonly fields: readonly string[];
  /** The fields that all rows have in common, for a title: `, chunk length 4`; empty where there are none. */
  readonly title: string;
}

/**
 * The rows of figures: all in one, where that can tell the settings of the main model apart; else those of each value of the field
 * with the fewest, whose lines are the values of the others.
 */
function groupsBySetting(
  table: EvaluationTable,
  { rows, fields }: Pick<RowGroup, "rows" | "fields">,
): RowGroup[] {
  const model = mainModel(rows), ofModel = rows.filter((row) => row.model === model);
  const valuesOf = (fields: readonly string[]) =>
    new Set(ofModel.map((row) => settingOf(row, fields)));
  if (fields.length < 2 || valuesOf(fields).size <= mostSeries) {
    return [{ rows, fields, title: "" }];
  }
  const [fixed] = fields.toSorted((a, b) => valuesOf([a]).size - valuesOf([b]).size);
  const others = fields.filter((field) => field !== fixed);
  return [...Map.groupBy(ofModel, ({ variation }) => variation[fixed] ?? "")]
    .flatMap(([value, rows]) =>
      groupsBySetting(table, { rows, fields: others }).map((group) => ({
        ...group,
        title: `, ${fieldNoun(table.fields[fixed] ?? fixed).label} ${value}${group.title}`,
      }))
    );
}

function settingOf({ variation }: TableRow, fields: readonly string[]): string {
  return fields.map((field) => variation[field] ?? "").join(", ");
}

/** Fewest questions that are worth a point, where points are shares of them. */
const fewestQuestions = 20;

/**
 * The series of a figure of rows: its models, the main one and the baseline first; where fields vary, their settings, of the
 * main model alone.
 */
function legendOf(
  table: EvaluationTable,
  { rows, fields }: { rows: readonly TableRow[]; fields: readonly string[] },
) {
  const model = mainModel(rows)!, rank = [table.baseline, model];
  const isModels = fields.length === 0;
  const all = isModels
    ? [...Map.groupBy(rows, (row) => row.model)]
      .toSorted(([a], [b]) => rank.indexOf(b) - rank.indexOf(a))
    : [...Map.groupBy(
      rows.filter((row) => row.model === model),
      (row) => settingOf(row, fields),
    )];
  const groups = isModels ? all.slice(0, mostSeries) : spread(all);
  const notes = [...(isModels ? [] : [model]), ...leftOut(all.length - groups.length)];
  const titles = fields.map((field) => fieldNoun(table.fields[field] ?? field).label);
  return {
    groups,
    note: notes.join("; "),
    ...(!isModels && { legendTitle: titles.join(", ") }),
  };
}

/** As many of a sweep's settings as a figure tells apart, evenly spread, the first and the last among them. */
function spread<T>(items: readonly T[]): T[] {
  const count = Math.min(items.length, mostSeries);
  return Array.from(
    { length: count },
    (_, i) => items[Math.round(i * (items.length - 1) / Math.max(1, count - 1))],
  );
}

function leftOut(count: number): string[] {
  return count > 0 ? [`${count} more ${count === 1 ? "is" : "are"} not shown`] : [];
}

/** Names of ranges that an axis has room for. */
const mostRanges = 7;

/** Lines over numbers: from left to right, with an axis that prints each number, in steps that suit them. */
function alongNumbers(
  unsorted: readonly Series<{ readonly x: number }>[],
  { label, unit = "" }: Pick<FigureAxis, "label" | "unit">,
  nameOf: (x: number) => string = String,
) {
  const series = unsorted.map(({ name, points }) => ({
    name,
    points: points.toSorted((a, b) => a.x - b.x),
  }));
  const xs = [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))]
    .sort((a, b) => a - b);
  const every = Math.ceil(xs.length / mostRanges);
  const ticks = xs.map((at, i) => {
    const name = nameOf(at);
    if (name === String(at)) return { at };
    return { at, name: (xs.length - 1 - i) % every === 0 ? name : "" };
  });
  return {
    series,
    x: { label, unit, ticks, scale: scaleOf(xs) },
  };
}

/** The scale on which sorted numbers are the more evenly spread: a logarithmic one where they grow by factors. */
function scaleOf(numbers: readonly number[]): "linear" | "log2" | "symlog" {
  const positive = numbers.filter((number) => number > 0);
  if (numbers[0] < 0 || positive.length < 2 || positive.at(-1)! < 4 * positive[0]) return "linear";
  const unevenness = (of: (number: number) => number) => {
    const steps = positive.slice(1).map((number, i) => of(number) - of(positive[i]));
    return Math.max(...steps) / Math.min(...steps);
  };
  if (positive.length > 2 && unevenness(Math.log) >= unevenness(Number)) return "linear";
  return numbers[0] === 0 ? "symlog" : "log2";
}

/** Part of a file's name. */
function slug(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9]+/g, "-");
}

/**
 * The middle of a range, on a logarithmic scale: 181 of `128-256`; an open end is as wide as a doubling; a number is itself.
 * Undefined of a column that is none of the points, as `never`.
 */
function middleOf(header: string): number | undefined {
  const numbers = header.match(/\d+/g)?.map(Number);
  if (!numbers) return undefined;
  const [low, high] = numbers;
  if (high !== undefined) return Math.round(Math.sqrt(low * high));
  return /^\d/.test(header)
    ? low
    : Math.round(header.startsWith("<") ? low / Math.SQRT2 : low * Math.SQRT2);
}

/** Points of a curve: more could not be told apart. */
const curvePoints = 32;

/** A training of one phase, which several runs may share. */
interface Training {
  readonly phase: string;
  readonly run: string;
  readonly records: readonly MetricsRecord[];
  /** Trainings of which these are the means; absent: it is one. */
  readonly seeds?: number;
}

/** The loss of each training, by phase; those that adapt one backbone in several ways share a figure. */
function trainingFigures(runs: readonly CataloguedRun[]): ReportFigure[] {
  const names = runNames(runs);
  const trainings = new Map<string, Training>();
  for (const [i, { training }] of runs.entries()) {
    for (const [phase, records] of Map.groupBy(training, ({ phase }) => phase)) {
      // Runs that share a training share its curve.
      const key = JSON.stringify([
        phase,
        records.map(({ step, split, loss }) => [step, split, loss]),
      ]);
      if (!trainings.has(key)) trainings.set(key, { phase, run: names[i], records });
    }
  }
  const phases = Map.groupBy(trainings.values(), ({ phase }) => phase);
  const adaptations = [...phases].filter(([phase]) =>
    runs.some((run) => run.adaptations.includes(phase))
  );
  const single = adaptations.filter(([, { length }]) => length === 1).map(([phase]) => phase);
  const figures = Map.groupBy(
    trainings.values(),
    ({ phase }) => single.length > 1 && single.includes(phase) ? "adaptations" : phase,
  );
  const overlaid = overlaidAdaptations(runs, adaptations);
  return [
    ...(overlaid.length > 0 ? lossFigure(groupOf("adaptations", overlaid)) : []),
    ...[...figures].flatMap(([name, trainings]) => {
      const group = groupOf(name, trainings);
      return [...lossFigure(group), ...quantityFigures(group), ...diagnosticFigures(group)];
    }),
  ];
}

type TrainingGroup = ReturnType<typeof groupOf>;

/** As many trainings as a figure tells apart, each with what tells it from the others: its phase, or else its run. */
function groupOf(name: string, trainings: readonly Training[]) {
  const areOfPhases = trainings.some(({ phase }) => phase !== trainings[0].phase);
  const curves = spread(trainings).map((training) => ({
    ...training,
    label: trainings.length === 1 ? "" : areOfPhases ? training.phase : training.run,
  }));
  return { name, curves, omitted: leftOut(trainings.length - curves.length) };
}

/** A figure of trainings by their steps; nothing where there is no line. */
function stepFigure(
  { name, omitted }: TrainingGroup,
  chart: Pick<LineChart, "title" | "y" | "series"> & { file?: string; notes?: readonly string[] },
): ReportFigure[] {
  const { file = "", title, notes = [] } = chart;
  if (chart.series.length === 0) return [];
  return [{
    name: `training-${name}${file}`,
    svg: lineChart({
      ...chart,
      title: `Training of ${name}: ${title} by step`,
      note: [...notes, ...omitted].join("; "),
      x: { label: "training step" },
    }),
  }];
}

/**
 * The adaptations of runs that differ in nothing but their seeds, one training for each: the means of their losses. Nothing where
 * there are several settings, fewer than two adaptations, or one run.
 */
function overlaidAdaptations(
  runs: readonly CataloguedRun[],
  adaptations: readonly (readonly [phase: string, trainings: readonly Training[]])[],
): Training[] {
  const seeds = Math.max(0, ...adaptations.map(([, trainings]) => trainings.length));
  if (adaptations.length < 2 || seeds < 2 || replicaGroups(runs).length > 1) return [];
  return adaptations.map(([phase, trainings]) => ({
    phase,
    run: "",
    records: meanRecords(trainings),
    seeds: trainings.length,
  }));
}

/** Mean losses of trainings at the steps that all of them have recorded. */
function meanRecords(trainings: readonly Training[]): MetricsRecord[] {
  const keyOf = ({ split, step }: MetricsRecord) => `${split} ${step}`;
  const losses = trainings.map(({ records }) =>
    new Map(records.map((record) => [keyOf(record), record.loss]))
  );
  return trainings[0].records.flatMap((record) => {
    const all = losses.flatMap((ofTraining) => ofTraining.get(keyOf(record)) ?? []);
    return all.length < trainings.length ? [] : [{ ...record, loss: mean(all) }];
  });
}

/** A quantity of a step, where its record has it. */
interface StepQuantity {
  readonly name: string;
  readonly title: string;
  readonly unit?: string;
  readonly of: (record: MetricsRecord) => number | undefined;
}

/** Quantities of every step besides the loss. */
export const stepQuantities: readonly StepQuantity[] = [
  { name: "learning-rate", title: "learning rate", of: ({ learningRate }) => learningRate },
  { name: "gradient-norm", title: "gradient norm", of: ({ gradientNorm }) => gradientNorm },
  {
    name: "speed",
    title: "speed",
    unit: "tokens/s",
    of: ({ timing }) => timing?.tokensPerSecond,
  },
];

/** Learning rate, norm of the gradient and speed of trainings by step, where they are recorded; equal curves are drawn once. */
function quantityFigures(group: TrainingGroup): ReportFigure[] {
  return stepQuantities.flatMap(({ name, title, unit, of }) => {
    const all = linesOf(group, (record) => record.split === "train" ? of(record) : undefined);
    const unlike = [...Map.groupBy(all, ({ points }) => JSON.stringify(points)).values()];
    const series = unlike.map((alike) => ({
      name: alike.map(({ name }) => name).join("; "),
      points: alike[0].points,
    }));
    const notes = [
      ...(all.length > 1 && series.length === 1 ? ["the same of all"] : []),
      ...thinningNote(group),
    ];
    const y = defined({ label: title, unit, fromZero: true } as const);
    return stepFigure(group, { file: `-${name}`, title, y, series, notes });
  });
}

/** A line for each training: a quantity of its records, where they have it. */
function linesOf({ curves }: TrainingGroup, of: StepQuantity["of"], most?: number) {
  return curves.map(({ label, records }) => ({ name: label, points: thinned(records, of, most) }))
    .filter(({ points }) => points.length > 0);
}

function thinningNote({ curves }: TrainingGroup): string[] {
  return curves.some(({ records }) => records.length > 2 * curvePoints)
    ? ["each point is the mean of neighbouring steps where there are many"]
    : [];
}

/** Gates and the memory's share of attention, and sizes of updates, as often as they are recorded. */
function diagnosticFigures(group: TrainingGroup): ReportFigure[] {
  const lines = (of: StepQuantity["of"]) => linesOf(group, of, Infinity);
  const gate = (of: (gates: readonly number[]) => number) => ({ diagnostics }: MetricsRecord) =>
    diagnostics?.gates && of(diagnostics.gates);
  const quantities: Record<string, StepQuantity["of"]> = {
    "mean gate": gate(mean),
    "smallest gate": gate((gates) => Math.min(...gates)),
    "largest gate": gate((gates) => Math.max(...gates)),
    "attention to retrieved tokens": ({ diagnostics }) => diagnostics?.memoryShare,
  };
  const gates = group.curves.length > 1
    ? lines(quantities["mean gate"])
    : Object.entries(quantities).flatMap(([name, of]) =>
      lines(of).map(({ points }) => ({ name, points }))
    );
  const updates = lines(({ diagnostics }) => diagnostics?.updateToWeight);
  const share = { label: "share of the memory", domain: [0, 1] } as const;
  const ratio = { label: "norm of update / norm of weights" };
  return [
    ...stepFigure(group, { file: "-gates", title: "gates", y: share, series: gates }),
    ...stepFigure(group, {
      file: "-updates",
      title: "update to weight",
      y: ratio,
      series: updates,
    }),
  ];
}

/** The loss of trainings of one phase, or of one of each of several, by step: on both splits, or of many on one of them. */
function lossFigure(group: TrainingGroup): ReportFigure[] {
  const { curves } = group, both = 2 * curves.length <= mostSeries;
  const isValidated = curves.every(({ records }) => records.some(({ split }) => split === "valid"));
  const splits = both ? ["train", "valid"] : [isValidated ? "valid" : "train"];
  const series = curves.flatMap(({ label, records }) =>
    splits.map((split) => ({
      name: [...(curves.length > 1 ? [label] : []), ...(both ? [split] : [])].join(", "),
      points: thinned(records.filter((record) => record.split === split), ({ loss }) => loss),
    }))
  ).filter(({ points }) => points.length > 0);
  const notes = [
    ...(both ? [] : [`loss of the ${splits[0]} split`]),
    ...(curves.some(({ seeds }) => seeds) ? [`means of ${curves[0].seeds} seeds`] : []),
    ...thinningNote(group),
  ];
  return stepFigure(group, {
    title: "loss",
    y: { label: "loss", unit: "nats/token" },
    series,
    notes,
  });
}

/** Short names of runs: `chunkTokens 4, seed 2`; their own names where nothing else does. */
function runNames(runs: readonly RunFacts[]): string[] {
  const groups = replicaGroups(runs), settings = variations(groups, sweptHeadings(runs));
  return runs.map((run) => {
    const i = groups.findIndex((group) => group.includes(run));
    const words = Object.entries(settings[i]).map(([field, value]) => `${field} ${value}`);
    return [...words, ...(groups[i].length > 1 ? [`seed ${seedOf(run)}`] : [])].join(", ");
  });
}

/** At most so many points of a curve: means of steps side by side; steps without the quantity are left out. */
export function thinned(
  all: readonly MetricsRecord[],
  of: StepQuantity["of"],
  most = curvePoints,
): { x: number; value: number }[] {
  const records = all.filter((record) => of(record) !== undefined);
  const size = Math.max(1, Math.ceil(records.length / most));
  return Array.from({ length: Math.ceil(records.length / size) }, (_, i) => {
    const part = records.slice(i * size, (i + 1) * size);
    return {
      x: Math.round(mean(part.map(({ step }) => step))),
      value: mean(part.map((record) => of(record)!)),
    };
  });
}

/** The mean of numbers, in parts, as the sum of large ones may be none. */
function mean(numbers: readonly number[]): number {
  return numbers.reduce((mean, number) => mean + number / numbers.length, 0);
}
