/**
 * The figures of a report.
 */
import type { EvaluationTable, ExperimentTables, TableCell, TableRow } from "./evaluation_table.ts";
import { dotChart, lineChart, type LineSeries } from "./figure.ts";
import { metricNoun } from "./metric_label.ts";
import type { MetricsRecord } from "./run_folder.ts";
import type { RunRecord } from "./run_record.ts";

/** A figure and the name of its file. */
export interface ReportFigure {
  /** Name, without ending. */
  readonly name: string;
  /** A standalone SVG. */
  readonly svg: string;
}

/** As many series as a figure tells apart. */
const mostSeries = 6;

/** Draws what there is to see of an experiment: models, what is swept, distances, trainings. */
export function reportFigures(experiment: ExperimentTables): ReportFigure[] {
  return [
    ...experiment.tables.flatMap((table) => [
      ...(table.part === "" ? modelFigure(table) : []),
      ...(table.part === "" ? sweptFigures(table) : []),
      ...(table.part.startsWith("far facts by distance") ? distanceFigures(table) : []),
    ]),
    ...trainingFigures(experiment.runs),
  ];
}

/** The series that matter most first: LongMem, what it is compared with, the rest. */
function mainFirst<T>(items: readonly T[], modelOf: (item: T) => string): T[] {
  const order = ["longmem", "backbone"];
  const rank = (item: T) => (order.indexOf(modelOf(item)) + order.length + 1) % (order.length + 1);
  return items.toSorted((a, b) => rank(a) - rank(b)).slice(0, mostSeries);
}

function measured({ value, stderr, ci95 }: TableCell) {
  return { value, ...(stderr !== undefined && { stderr }), ...(ci95 && { ci95 }) };
}

/** The main metric of each model; nothing where there is one model, or rows are of several variations. */
function modelFigure({ evaluation, columns, rows, varied }: EvaluationTable): ReportFigure[] {
  const [column] = columns;
  const values = rows.flatMap(({ model, cells: [cell] }) =>
    cell ? [{ category: model, ...measured(cell) }] : []
  );
  if (varied.length > 0 || values.length < 2) return [];
  const numbers = values.map(({ value }) => value);
  const wide = Math.min(...numbers) > 0 && Math.max(...numbers) > 8 * Math.min(...numbers) &&
    column.name.includes("perplexity");
  return [{
    name: `${evaluation}-models`,
    svg: dotChart({
      title: `${evaluation}: ${metricNoun(column.name)} of each model`,
      description: values.map(({ category, value }) => `${category} ${value.toPrecision(4)}`)
        .join(", ") + ".",
      value: {
        label: metricNoun(column.name),
        ...unitOf(column.unit),
        ...(wide && { scale: "log2" }),
      },
      series: [{ name: column.name, values }],
      uncertainty: "ci95",
    }),
  }];
}

function unitOf(unit: string): { unit?: string } {
  return unit === "" ? {} : { unit };
}

/** The main metric against each field of numbers that is swept. */
function sweptFigures(table: EvaluationTable): ReportFigure[] {
  const { evaluation, columns: [column], rows, varied } = table;
  return varied.flatMap((field) => {
    const xs = rows.map(({ variation }) => Number(variation[field] || NaN));
    if (xs.some((x) => !Number.isFinite(x)) || new Set(xs).size < 2) return [];
    const others = (row: TableRow) =>
      varied.filter((other) => other !== field && other !== "run")
        .map((other) => `, ${other} ${row.variation[other]}`).join("");
    const groups = Map.groupBy(rows, (row) => row.model + others(row));
    const series = [...groups].map(([name, ofSeries]): LineSeries & { model: string } => ({
      name,
      model: ofSeries[0].model,
      points: ofSeries.flatMap((row) =>
        row.cells[0] ? [{ x: Number(row.variation[field]), ...measured(row.cells[0]) }] : []
      ).sort((a, b) => a.x - b.x),
    })).filter(({ points }) => points.length > 0);
    if (series.length === 0) return [];
    const shown = mainFirst(series, ({ model }) => model);
    return [{
      name: `${evaluation}-${field.replaceAll(/[^A-Za-z0-9]+/g, "-")}`,
      svg: lineChart({
        title: `${evaluation}: ${metricNoun(column.name)} by ${field}`,
        description: describeLines(shown),
        ...leftOut(series.length - shown.length),
        x: { label: field, scale: Math.min(...xs) > 0 ? "log2" : "linear" },
        y: { label: metricNoun(column.name), ...unitOf(column.unit) },
        series: shown,
        uncertainty: "ci95",
      }),
    }];
  });
}

function leftOut(count: number): { note?: string } {
  return count > 0 ? { note: `${count} more are in the table` } : {};
}

function describeLines(series: readonly LineSeries[]): string {
  return series.map(({ name, points }) => {
    const first = points[0], last = points.at(-1)!;
    return `${name}: ${first.value.toPrecision(3)} at ${first.x}, ${
      last.value.toPrecision(3)
    } at ${last.x}`;
  }).join("; ") + ".";
}

/** Fewest questions of a distance that are worth a point. */
const fewestQuestions = 20;

/** Accuracy by the distance to what is recalled, for each variation. */
function distanceFigures(table: EvaluationTable): ReportFigure[] {
  const { evaluation, columns, rows } = table;
  const groups = [...Map.groupBy(rows, ({ variation }) => JSON.stringify(variation)).values()];
  return groups.slice(0, mostSeries).flatMap((group, i) => {
    const series = group.map(({ model, cells }) => ({
      name: model,
      points: cells.flatMap((cell, j) => {
        const asked = Math.min(...cell?.metrics.map(({ n }) => n) ?? [0]);
        return cell && asked >= fewestQuestions
          ? [{ x: distanceOf(columns[j].header), ...measured(cell) }]
          : [];
      }).sort((a, b) => a.x - b.x),
    })).filter(({ points }) => points.length > 1);
    if (series.length === 0) return [];
    const varied = Object.entries(group[0].variation).map(([name, value]) => `${name} ${value}`);
    return [{
      name: `${evaluation}-distance${groups.length > 1 ? `-${i + 1}` : ""}`,
      svg: lineChart({
        title: [`${evaluation}: recall by distance`, ...varied].join(", "),
        description: describeLines(mainFirst(series, ({ name }) => name)),
        note: "middles of the distances' ranges; standard errors over books",
        x: { label: "distance to the last mention", unit: "tokens", scale: "log2" },
        y: { label: "recall of far facts", domain: [0, 1] },
        series: mainFirst(series, ({ name }) => name),
      }),
    }];
  });
}

/** The middle of a range, on a logarithmic scale: 181 of `128-256`; an open end is as wide as a doubling. */
function distanceOf(header: string): number {
  const bounds = header.match(/\d+/g)!.map(Number);
  if (bounds.length === 2) return Math.round(Math.sqrt(bounds[0] * bounds[1]));
  return Math.round(header.startsWith("<") ? bounds[0] / Math.SQRT2 : bounds[0] * Math.SQRT2);
}

/** Points of a curve: more could not be told apart. */
const curvePoints = 32;

/** The loss of each training: of one run on both splits, of several on the valid split. */
function trainingFigures(runs: readonly RunRecord[]): ReportFigure[] {
  const trained = runs.filter(({ training }) => training.length > 0);
  const phases = [
    ...new Set(trained.flatMap(({ training }) => training.map(({ phase }) => phase))),
  ];
  return phases.flatMap((phase) => {
    const series = trained.slice(0, mostSeries).flatMap(({ training, summary }) => {
      const ofPhase = training.filter((record) => record.phase === phase);
      const split = (name: MetricsRecord["split"]) => ofPhase.filter(({ split }) => split === name);
      const several = trained.length > 1;
      const splits = several
        ? [split("valid").length > 0 ? "valid" as const : "train" as const]
        : (["train", "valid"] as const);
      return splits.map((name) => ({
        name: several ? `${summary.run} ${name}` : name,
        points: thinned(split(name)),
      }));
    }).filter(({ points }) => points.length > 0);
    if (series.length === 0) return [];
    return [{
      name: `training-${phase}`,
      svg: lineChart({
        title: `Training of ${phase}: loss by step`,
        description: describeLines(series),
        note: [
          ...(trained.some(({ training }) => training.length > curvePoints * phases.length)
            ? ["each point is the mean of neighbouring steps where there are many"]
            : []),
          ...(trained.length > mostSeries
            ? [`the first ${mostSeries} of ${trained.length} runs`]
            : []),
        ].join("; "),
        x: { label: "step" },
        y: { label: "loss", unit: "nats/token" },
        series,
      }),
    }];
  });
}

/** As many points as a figure can show: means of steps side by side. */
function thinned(records: readonly MetricsRecord[]): { x: number; value: number }[] {
  const size = Math.ceil(records.length / curvePoints);
  const points = [];
  for (let start = 0; start < records.length; start += size) {
    const part = records.slice(start, start + size);
    const mean = (of: (record: MetricsRecord) => number) =>
      part.reduce((sum, record) => sum + of(record), 0) / part.length;
    points.push({ x: Math.round(mean(({ step }) => step)), value: mean(({ loss }) => loss) });
  }
  return points;
}
