/**
 * The figures of a report.
 */
import {
  type EvaluationTable,
  type ExperimentTables,
  mainModel,
  type TableCell,
  type TableColumn,
  tellingFields,
} from "./evaluation_table.ts";
import {
  type CategorySeries,
  dotChart,
  type FigureAxis,
  lineChart,
  type LineSeries,
} from "./figure.ts";
import { fieldNoun } from "./field_nouns.ts";
import { formatSwept, type MetricsRecord } from "./records.ts";
import type { RunRecord } from "./read_runs.ts";

/** A figure and the name of its file. */
export interface ReportFigure {
  /** Name, without ending. */
  readonly name: string;
  /** A standalone SVG. */
  readonly svg: string;
}

/** As many series as a figure tells apart. */
const mostSeries = 6;

/** Draws what there is to see of an experiment: models, what is swept, distances and lengths, trainings. */
export function reportFigures(experiment: ExperimentTables): ReportFigure[] {
  return withFileNames([
    ...experiment.tables.flatMap((table) => [
      ...(table.part === "" ? modelFigure(table) : []),
      ...(table.part === "" ? sweptFigures(table) : []),
      ...columnFigure(table),
    ]),
    ...trainingFigures(experiment.runs),
  ]);
}

/** The series that matter most first: LongMem, what it is compared with, the rest. */
function mainFirst<T>(items: readonly T[], modelOf: (item: T) => string): T[] {
  const order = ["longmem", "backbone"];
  const rank = (item: T) => (order.indexOf(modelOf(item)) + order.length + 1) % (order.length + 1);
  return items.toSorted((a, b) => rank(a) - rank(b)).slice(0, mostSeries);
}

/** The metric that figures of models and of sweeps show: the average of tasks where there is one, or else the first. */
function mainColumn({ columns }: EvaluationTable): number {
  return Math.max(0, columns.findIndex(({ isMain }) => isMain));
}

function measured({ value, stderr, ci95 }: TableCell) {
  return { value, ...(stderr !== undefined && { stderr }), ...(ci95 && { ci95 }) };
}

function valueAxis({ noun, unit, isProportion }: TableColumn, label = noun): FigureAxis {
  return { label, ...(unit !== "" && { unit }), ...(isProportion && { domain: [0, 1] }) };
}

/** Part of a file's name. */
function slug(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9]+/g, "-");
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

/** The main metric of each model; nothing where there is one model, or rows are of several variations. */
function modelFigure(table: EvaluationTable): ReportFigure[] {
  const { evaluation, columns, rows, varied } = table;
  const main = mainColumn(table), column = columns[main];
  const values = rows.flatMap(({ model, cells }) =>
    cells[main] ? [{ category: model, ...measured(cells[main]) }] : []
  );
  if (varied.length > 0 || values.length < 2) return [];
  const numbers = values.map(({ value }) => value);
  const wide = Math.min(...numbers) > 0 && Math.max(...numbers) > 8 * Math.min(...numbers) &&
    column.name.includes("perplexity");
  return [{
    name: `${evaluation}-models`,
    svg: dotChart({
      title: `${evaluation}: ${column.noun}`,
      description: describeCategories([{ name: "", values }]),
      value: { ...valueAxis(column), ...(wide && { scale: "log2" }) },
      series: [{ name: column.name, values }],
      uncertainty: "ci95",
    }),
  }];
}

/**
 * The main metric against each field that a sweep varies: a line for each model, or, where other fields vary too, for each of
 * their values; dots where values are no numbers. Fields whose values follow from another's have no figure of their own.
 */
function sweptFigures(table: EvaluationTable): ReportFigure[] {
  const { evaluation, columns, rows } = table;
  const main = mainColumn(table), column = columns[main];
  const fields = tellingFields(table).filter((name) => name !== "run");
  return fields.flatMap((field) => {
    const swept = rows.filter((row) => row.cells[main] && row.variation[field] !== undefined);
    const values = [...new Set(swept.map(({ variation }) => variation[field]))];
    if (values.length < 2) return [];
    const others = fields.filter((other) => other !== field);
    const model = mainModel(swept)!;
    const series = others.length === 0
      ? mainFirst(
        [...Map.groupBy(swept, (row) => row.model)],
        ([name]) => name,
      )
      : spread([
        ...Map.groupBy(
          swept.filter((row) => row.model === model),
          (row) => others.map((other) => row.variation[other]).join(", "),
        ),
      ]);
    const { label, unit } = fieldNoun(table.fields[field] ?? field);
    const text = {
      title: `${evaluation}: ${column.noun} by ${label}`,
      ...(others.length > 0 && {
        legendTitle: others.map((other) => fieldNoun(table.fields[other] ?? other).label).join(
          ", ",
        ),
        note: model,
      }),
      uncertainty: "ci95" as const,
    };
    const xs = values.map(Number);
    const isNumeric = values.every((value, i) => value.trim() !== "" && Number.isFinite(xs[i]));
    const drawn = isNumeric
      ? lineChart({
        ...text,
        ...numbered(
          series.map(([name, ofSeries]) => ({
            name,
            points: ofSeries.map((row) => ({
              x: Number(row.variation[field]),
              ...measured(row.cells[main]!),
            })),
          })),
          { label, ...(unit !== undefined && { unit }) },
        ),
        y: valueAxis(column),
      })
      : dotChart({
        ...text,
        ...categorized(series.map(([name, ofSeries]) => ({
          name,
          values: ofSeries.map((row) => ({
            category: row.variation[field],
            ...measured(row.cells[main]!),
          })),
        }))),
        value: valueAxis(column),
      });
    return [{ name: `${evaluation}-${slug(field)}`, svg: drawn }];
  });
}

function categorized(series: readonly CategorySeries[]) {
  return { series, description: describeCategories(series) };
}

/** Lines over numbers: from left to right, with an axis that prints each number, in steps that suit them. */
function numbered(
  series: readonly LineSeries[],
  axis: Pick<FigureAxis, "label" | "unit">,
  nameOf?: (x: number) => string,
) {
  const sorted = series.map(({ name, points }) => ({
    name,
    points: points.toSorted((a, b) => a.x - b.x),
  }));
  const xs = [...new Set(sorted.flatMap(({ points }) => points.map(({ x }) => x)))]
    .sort((a, b) => a - b);
  return {
    series: sorted,
    description: describeLines(sorted),
    x: {
      ...axis,
      ticks: xs.map((at) => ({ at, ...(nameOf && { name: nameOf(at) }) })),
      scale: scaleOf(xs),
    },
  };
}

/** The scale on which sorted numbers are the more evenly spread: a logarithmic one where they grow by factors. */
function scaleOf(numbers: readonly number[]): "linear" | "log2" | "symlog" {
  const [first] = numbers;
  const positive = numbers.filter((number) => number > 0);
  if (first < 0 || positive.length < 2 || positive.at(-1)! < 4 * positive[0]) return "linear";
  const steps = (of: (number: number) => number) => {
    const distances = positive.slice(1).map((number, i) => of(number) - of(positive[i]));
    return Math.max(...distances) / Math.min(...distances);
  };
  if (positive.length > 2 && steps(Math.log) >= steps((number) => number)) return "linear";
  return first === 0 ? "symlog" : "log2";
}

/** As many of a sweep's settings as a figure tells apart, evenly spread, the first and the last among them. */
function spread<T>(items: readonly T[]): T[] {
  if (items.length <= mostSeries) return [...items];
  return Array.from(
    { length: mostSeries },
    (_, i) => items[Math.round(i * (items.length - 1) / (mostSeries - 1))],
  );
}

function describeLines(series: readonly LineSeries[]): string {
  return series.map(({ name, points }) => {
    const first = points[0], last = points.at(-1)!;
    return `${name}: ${first.value.toPrecision(3)} at ${first.x}, ${
      last.value.toPrecision(3)
    } at ${last.x}`;
  }).join("; ") + ".";
}

function describeCategories(series: readonly CategorySeries[]): string {
  return series.map(({ name, values }) =>
    (name === "" ? "" : `${name}: `) +
    values.map(({ category, value }) => `${category} ${value.toPrecision(4)}`).join(", ")
  ).join("; ") + ".";
}

/** Fewest questions that are worth a point, where points are shares of them. */
const fewestQuestions = 20;

/**
 * What a table's columns are points of, as recall by distance or speed by length: a line for each model or, in a sweep, for
 * each setting of the model that it is about.
 */
function columnFigure(table: EvaluationTable): ReportFigure[] {
  const { evaluation, columns, rows, axis } = table;
  if (!axis) return [];
  const { figure, label, unit, measure } = axis;
  const fields = tellingFields(table);
  const model = mainModel(rows)!;
  const shown = fields.length === 0
    ? mainFirst(rows, (row) => row.model)
    : spread(rows.filter((row) => row.model === model));
  const all = fields.length === 0 ? rows : rows.filter((row) => row.model === model);
  const headers = columns.map(({ header }) => header);
  const series = shown.map((row) => ({
    name: fields.length === 0
      ? row.model
      : fields.map((field) => row.variation[field] ?? "").join(", "),
    points: row.cells.flatMap((cell, i) => {
      const asked = Math.min(...cell?.metrics.map(({ n }) => n) ?? [0]);
      const isKnown = !columns[i].isProportion || asked >= fewestQuestions;
      return cell && isKnown ? [{ x: middleOf(headers[i]), ...measured(cell) }] : [];
    }),
  })).filter(({ points }) => points.length > 1);
  if (series.length === 0) return [];
  const notes = [
    ...(fields.length === 0 ? [] : [model]),
    ...leftOut(all.length - shown.length),
  ];
  return [{
    name: `${evaluation}-${slug(figure)}`,
    svg: lineChart({
      title: `${evaluation}: ${measure} by ${label}`,
      ...numbered(
        series,
        { label, ...(unit !== undefined && { unit }) },
        (x) => headers.map(headerText)[headers.map(middleOf).indexOf(x)],
      ),
      ...(notes.length > 0 && { note: notes.join("; ") }),
      ...(fields.length > 0 && {
        legendTitle: fields.map((field) => fieldNoun(table.fields[field] ?? field).label).join(
          ", ",
        ),
      }),
      y: { ...valueAxis(columns[0], measure), ...(columns[0].unit !== "" && { fromZero: true }) },
      uncertainty: "ci95",
    }),
  }];
}

function leftOut(count: number): string[] {
  return count > 0 ? [`${count} more ${count === 1 ? "is" : "are"} in the table`] : [];
}

/** A number as axes print it, a range as it is. */
function headerText(header: string): string {
  return /^\d+$/.test(header) ? Number(header).toLocaleString("en") : header;
}

/** The middle of a range, on a logarithmic scale: 181 of `128-256`; an open end is as wide as a doubling; a number is itself. */
function middleOf(header: string): number {
  const bounds = header.match(/\d+/g)!.map(Number);
  if (bounds.length === 2) return Math.round(Math.sqrt(bounds[0] * bounds[1]));
  if (/^\d+$/.test(header)) return bounds[0];
  return Math.round(header.startsWith("<") ? bounds[0] / Math.SQRT2 : bounds[0] * Math.SQRT2);
}

/** Points of a curve: more could not be told apart. */
const curvePoints = 32;

/** A training of one phase, which several runs may share. */
interface Training {
  readonly name: string;
  readonly records: readonly MetricsRecord[];
}

/**
 * The loss of each training: of one run on both splits, of several on the valid split. Runs that share a training share its
 * line, and the adaptations of one backbone share a figure.
 */
function trainingFigures(runs: readonly RunRecord[]): ReportFigure[] {
  const names = runNames(runs);
  const phases = new Set(runs.flatMap(({ training }) => training.map(({ phase }) => phase)));
  const trainings = new Map([...phases].map((phase) => [phase, trainingsOf(runs, names, phase)]));
  const adaptations = [...trainings].filter(([phase, trained]) =>
    phase !== "backbone" && trained.length === 1
  );
  const overlaid = adaptations.length > 1 && adaptations.length <= mostSeries ? adaptations : [];
  const alone = [...trainings].filter(([phase]) => !overlaid.some(([other]) => other === phase));
  return [
    ...alone.map(([phase, trained]) =>
      trainingFigure(trained, {
        name: `training-${phase}`,
        title: `Training of ${phase}: loss by step`,
        most: 1,
      })
    ),
    ...(overlaid.length > 0
      ? [trainingFigure(
        overlaid.map(([phase, [{ records }]]) => ({ name: phase, records })),
        { name: "training-adaptations", title: "Adaptations: loss by step", most: 3 },
      )]
      : []),
  ];
}

/** The trainings of a phase that differ, each by the name of its first run. */
function trainingsOf(
  runs: readonly RunRecord[],
  names: readonly string[],
  phase: string,
): Training[] {
  const trained = new Map<string, Training>();
  for (const [i, { training }] of runs.entries()) {
    const records = training.filter((record) => record.phase === phase);
    const key = JSON.stringify(records.map(({ step, split, loss }) => [step, split, loss]));
    if (records.length > 0) trained.set(key, { name: names[i], records });
  }
  return [...trained.values()];
}

/**
 * The loss of trainings by step.
 *
 * @param figure.most As many trainings show both of their splits; of more each shows one.
 */
function trainingFigure(
  trained: readonly Training[],
  { name: file, title, most }: {
    readonly name: string;
    readonly title: string;
    readonly most: number;
  },
): ReportFigure {
  const curves = spread(trained), several = curves.length > 1, both = curves.length <= most;
  const isValidated = curves.every(({ records }) => records.some(({ split }) => split === "valid"));
  const series = curves.flatMap(({ name, records }) =>
    (["train", "valid"] as const)
      .filter((split) => both || split === (isValidated ? "valid" : "train"))
      .map((split) => ({
        name: !several ? split : both ? `${name}, ${split}` : name,
        points: thinned(records.filter((record) => record.split === split)),
      }))
  ).filter(({ points }) => points.length > 0);
  const note = [
    ...(both ? [] : [`loss of the ${isValidated ? "valid" : "train"} split`]),
    ...(curves.some(({ records }) => records.length > 2 * curvePoints)
      ? ["each point is the mean of neighbouring steps where there are many"]
      : []),
    ...leftOut(trained.length - curves.length).map((text) =>
      text.replace("in the table", "not shown")
    ),
  ].join("; ");
  return {
    name: file,
    svg: lineChart({
      title,
      description: describeLines(series),
      ...(note !== "" && { note }),
      x: { label: "training step" },
      y: { label: "loss", unit: "nats/token" },
      series,
    }),
  };
}

/** What tells runs apart, in few words: `chunkTokens 4, seed 2`; their own names where nothing else does. */
function runNames(runs: readonly RunRecord[]): string[] {
  const settings = runs.map(({ summary, declaration }) => ({
    ...summary.variation,
    seed: declaration?.seed ?? 1,
  }));
  const fields = [...new Set(settings.flatMap((setting) => Object.keys(setting)))];
  const texts = settings.map((setting) =>
    new Map(Object.entries(setting).map(([field, value]) => [field, formatSwept(value)]))
  );
  const varied = fields.filter((field) => new Set(texts.map((text) => text.get(field))).size > 1);
  const names = texts.map((text) =>
    varied.filter((field) => text.has(field))
      .map((field) => `${field.split(".").at(-1)} ${text.get(field)}`).join(", ")
  );
  return new Set(names).size === runs.length ? names : runs.map(({ summary }) => summary.run);
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
