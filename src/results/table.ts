/**
 * Tables of what runs have measured, as Markdown, HTML, CSV or JSON.
 */
import { type Difference, fewestItems } from "./comparison.ts";
import type {
  EvaluationTable,
  ExperimentTables,
  TableCell,
  TableColumn,
  TableRow,
  UnfinishedRun,
} from "./evaluation_table.ts";
import { escapeHtml, htmlTable } from "./html.ts";
import { formatVariation } from "./run_folder.ts";
import { type RunRecord, seedOf } from "./run_record.ts";

/** Formats of a table. */
export const tableFormats = ["md", "csv", "json", "html"] as const;

/** A format of a table. */
export type TableFormat = (typeof tableFormats)[number];

/** Prints the tables of experiments. */
export function formatTables(
  experiments: readonly ExperimentTables[],
  format: TableFormat,
): string {
  switch (format) {
    case "md":
      return [...experiments.map(markdownTables), markdownLegend(experiments)].join("\n") + "\n";
    case "html":
      return experiments.map(htmlTables).join("\n") + htmlLegend(experiments);
    case "csv":
      return [metricColumns, ...metricRows(experiments).map(csvCells)]
        .map((cells) => cells.map(csvCell).join(",") + "\n").join("");
    case "json":
      return JSON.stringify(metricRows(experiments), null, 2) + "\n";
    default:
      return format satisfies never;
  }
}

/** A table in words, before it is given a form. */
export interface TableText {
  /** What the numbers are. */
  readonly caption: string;
  /** Headings; the first `labels` are of columns that say what a row is. */
  readonly headers: readonly string[];
  /** Columns of labels. */
  readonly labels: number;
  /** The rows. */
  readonly rows: readonly (readonly CellText[])[];
  /** A last row that is no model: the numbers of items, where they differ by column. */
  readonly footer?: readonly string[];
}

/** A cell in words. */
export interface CellText {
  /** What it says. */
  readonly text: string;
  /** By what rows are sorted; absent: by the text. */
  readonly value?: number;
  /** Whether it is the best of its column by more than noise. */
  readonly best?: boolean;
}

/** The words of a table. */
export function tableText(
  table: EvaluationTable,
  labels: readonly string[],
): TableText {
  const { evaluation, part, varied, columns, rows, baseline } = table;
  const counts = columns.map((_, i) => countsOf(rows, i));
  const oneCount = new Set(counts).size === 1 ? counts[0] : undefined;
  const units = new Set(columns.map(({ unit }) => unit).filter((unit) => unit !== ""));
  const oneUnit = units.size === 1 && columns.every(({ unit }) => unit !== "")
    ? [...units][0]
    : undefined;
  const directions = new Set(columns.map(({ higherIsBetter }) => higherIsBetter));
  const seeded = rows.some(({ runs }) => runs.length > 1);
  const differing = part === "" && rows.some(({ cells }) => cells[0]?.difference) ? 0 : -1;
  const caption = [
    part === "" ? evaluation : `${evaluation}, ${part}`,
    ...(oneCount === undefined ? [] : [`n = ${oneCount}`]),
    ...(oneUnit === undefined ? [] : [oneUnit]),
    ...(directions.size === 1 ? [`${directionOf(columns[0])} is better`] : []),
    ...labels,
  ].join("; ");
  const header = (column: TableColumn) =>
    [
      column.header,
      ...(column.unit !== "" && oneUnit === undefined ? [`(${column.unit})`] : []),
      ...(directions.size > 1 ? [column.higherIsBetter ? "\u2191" : "\u2193"] : []),
    ].join(" ");
  const withDifference = <T>(cells: readonly T[], added: () => T) =>
    cells.flatMap((cell, i) => i === differing ? [cell, added()] : [cell]);
  const rowLabels = [...varied, "model", ...(seeded ? ["seeds"] : [])];
  return {
    caption,
    headers: [...rowLabels, ...withDifference(columns.map(header), () => `vs ${baseline}`)],
    labels: rowLabels.length,
    rows: rows.map(({ variation, model, runs, cells }) => [
      ...varied.map((name) => labelCell(variation[name] ?? "")),
      { text: model },
      ...(seeded ? [labelCell(String(runs.length))] : []),
      ...withDifference(cells.map(valueText), () => differenceText(cells[differing])),
    ]),
    ...(oneCount === undefined && {
      footer: [
        ...rowLabels.map((_, i) => i === varied.length ? "n" : ""),
        ...withDifference(counts, () => ""),
      ],
    }),
  };
}

function labelCell(text: string): CellText {
  return text !== "" && Number.isFinite(Number(text)) ? { text, value: Number(text) } : { text };
}

function directionOf({ higherIsBetter }: TableColumn): string {
  return higherIsBetter ? "higher" : "lower";
}

/** Items of a column: `11`, `2 of 13`, `8-11` where rows differ. */
function countsOf(rows: readonly TableRow[], column: number): string {
  const metrics = rows.flatMap(({ cells }) => cells[column]?.metrics ?? []);
  const counts = metrics.map(({ n }) => n), totals = metrics.map(({ n, total }) => total ?? n);
  const range = (values: readonly number[]) => {
    const low = Math.min(...values), high = Math.max(...values);
    return low === high
      ? low.toLocaleString("en")
      : `${low.toLocaleString("en")}\u2013${high.toLocaleString("en")}`;
  };
  const some = metrics.some(({ n, total }) => total !== undefined && total !== n);
  return some ? `${range(counts)} of ${range(totals)}` : range(counts);
}

function valueText(cell: TableCell | undefined): CellText {
  if (!cell) return { text: "" };
  const { value, stderr, seedDeviation, difference, best } = cell;
  const spread = seedDeviation === undefined ? "" : `, \u03c3 ${significant(seedDeviation, 2)}`;
  const noise = difference?.insideNoise ? "\u2248 " : "";
  return { text: `${noise}${uncertain(value, stderr)}${spread}`, value, best };
}

function differenceText(cell: TableCell | undefined): CellText {
  const difference = cell?.difference;
  if (!difference) return { text: "" };
  return { text: differenceInWords(difference), value: difference.value };
}

/** `+0.841 [0.832, 0.850]`, with as many digits as the interval makes sense of. */
export function differenceInWords({ value, overItems, overSeeds }: Difference): string {
  const interval = overSeeds ?? overItems;
  if (!interval) return signed(value, significant(value, 2));
  const [low, high] = interval;
  const digits = digitsFor((high - low) / 4);
  return `${signed(value, value.toFixed(digits))} [${low.toFixed(digits)}, ${
    high.toFixed(digits)
  }]`;
}

function signed(value: number, text: string): string {
  return value > 0 ? `+${text}` : text;
}

/** `12.34 +- 0.56`, with as many digits as the standard error makes sense of. */
export function uncertain(value: number, stderr: number | undefined): string {
  if (stderr === undefined || stderr === 0) return significant(value, 4);
  const digits = digitsFor(stderr);
  return `${value.toFixed(digits)} \u00b1 ${stderr.toFixed(digits)}`;
}

/** Digits after the point that show two figures of an uncertainty. */
function digitsFor(uncertainty: number): number {
  if (!(uncertainty > 0)) return 4;
  return Math.min(12, Math.max(0, 1 - Math.floor(Math.log10(uncertainty))));
}

/** A number by its own digits. */
export function significant(value: number, digits: number): string {
  return Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(digits);
}

/** What the marks mean that occur in tables. */
export function legend(experiments: readonly ExperimentTables[]): string[] {
  const tables = experiments.flatMap(({ tables }) => tables);
  const cells = tables.flatMap(({ rows }) => rows.flatMap(({ cells }) => cells))
    .filter((cell) => cell !== undefined);
  if (cells.length === 0) return [];
  const seeded = cells.some(({ seedDeviation }) => seedDeviation !== undefined);
  const compared = cells.some(({ difference }) => difference);
  const mixed = tables.some(({ columns }) =>
    new Set(columns.map(({ higherIsBetter }) => higherIsBetter)).size > 1
  );
  return [
    "n: items scored.",
    `\u00b1: standard error over items${seeded ? " of one seed" : ""}.`,
    ...(seeded ? ["\u03c3: sample standard deviation over seeds; values are their means."] : []),
    ...(mixed ? ["\u2191, \u2193: higher or lower is better."] : []),
    ...(compared
      ? [
        "vs: difference from the first model, paired by item, and its 95 % interval " +
        `(bootstrap over items${seeded ? "; Student's over seeds, where there are several" : ""}).`,
        "\u2248: that difference is inside the noise: its interval " +
        `holds 0, or there are fewer than ${fewestItems} items.`,
      ]
      : []),
    ...(cells.some(({ best }) => best)
      ? ["Bold: the best of its column, where the difference from the next is outside the noise."]
      : []),
  ];
}

function markdownTables(tables: ExperimentTables): string {
  const { experiment, labels, question, remarks, unfinished } = tables;
  return [
    `## ${experiment}${labels.length > 0 ? ` (${labels.join(", ")})` : ""}`,
    ...(question === undefined ? [] : [question]),
    ...tables.tables.flatMap((table) => {
      const text = tableText(table, labels);
      return [`### ${text.caption}`, alignedTable(text)];
    }),
    ...(remarks.length > 0 ? [remarks.map((remark) => `- ${remark}`).join("\n")] : []),
    ...(unfinished.length > 0
      ? [unfinished.map((run) => `- ${unfinishedText(run)}`).join("\n")]
      : []),
  ].join("\n\n") + "\n";
}

/** What a run has come to and what to do: one sentence. */
export function unfinishedText({ run, state, error, command }: UnfinishedRun): string {
  switch (state) {
    case "failed":
      return `${run} failed: ${
        error ?? "no reason recorded"
      }; once that is mended, \`${command}\` goes on`;
    case "interrupted":
      return `${run} was interrupted; \`${command}\` resumes it`;
    case "running":
      return `${run} is running, or was killed; then \`${command}\` resumes it`;
    case "planned":
      return `${run} has not begun; \`${command}\` runs it`;
    case "completed":
      return `${run} is completed`;
    default:
      return state satisfies never;
  }
}

function markdownLegend(experiments: readonly ExperimentTables[]): string {
  return legend(experiments).join(" ");
}

/** A Markdown table whose columns also line up as plain text. */
function alignedTable({ headers, rows, footer, labels }: TableText): string {
  const escaped = [
    headers,
    ...rows.map((row) => row.map(({ text, best }) => best ? `**${text}**` : text)),
    ...(footer ? [footer] : []),
  ].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = headers.map((_, i) => Math.max(3, ...escaped.map((row) => row[i].length)));
  const lines = escaped.map((row) =>
    `| ${
      row.map((cell, i) => i < labels ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join(
        " | ",
      )
    } |`
  );
  const rule = widths.map((width, i) =>
    i < labels ? "-".repeat(width) : "-".repeat(width - 1) + ":"
  );
  lines.splice(1, 0, `| ${rule.join(" | ")} |`);
  return lines.join("\n");
}

/** The tables of one experiment as a part of a page. */
export function htmlTables(tables: ExperimentTables): string {
  const { experiment, labels, question, remarks, unfinished } = tables;
  const notes = [...remarks, ...unfinished.map(unfinishedText)];
  return `<section>
<h2>${escapeHtml(experiment)}</h2>
${question === undefined ? "" : `<p>${escapeHtml(question)}</p>\n`}${
    tables.tables.map((table) => htmlTable(tableText(table, labels))).join("\n")
  }
${
    notes.length > 0
      ? `<ul>${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join("")}</ul>\n`
      : ""
  }</section>
`;
}

/** The legend as a part of a page. */
export function htmlLegend(experiments: readonly ExperimentTables[]): string {
  const entries = legend(experiments);
  return entries.length === 0 ? "" : `<p class="legend">${escapeHtml(entries.join(" "))}</p>\n`;
}

/** Columns of the flat formats: one number a row. */
const metricColumns = [
  "experiment",
  "scale",
  "run",
  "variation",
  "state",
  "limit",
  "seed",
  "seeds",
  "evaluation",
  "model",
  "metric",
  "value",
  "stderr",
  "seedDeviation",
  "ci95Low",
  "ci95High",
  "n",
  "total",
  "unit",
  "higherIsBetter",
  "metricVersion",
  "baseline",
  "difference",
  "differenceLow",
  "differenceHigh",
  "insideNoise",
] as const;

type MetricRow = Partial<Record<(typeof metricColumns)[number], unknown>>;

/** For each run its metrics; then, for seeds that belong together, their means. */
function metricRows(experiments: readonly ExperimentTables[]): MetricRow[] {
  return experiments.flatMap(({ runs, tables }) => [
    ...runs.flatMap((run) => run.summary.metrics.map((metric) => seedRow(run, metric, tables))),
    ...tables.flatMap((table) =>
      table.rows.filter(({ runs }) => runs.length > 1).flatMap((row) =>
        row.cells.flatMap((cell, i) => cell ? [meanRow(table, row, cell, table.columns[i])] : [])
      )
    ),
  ]);
}

function seedRow(
  run: RunRecord,
  metric: RunRecord["summary"]["metrics"][number],
  tables: readonly EvaluationTable[],
): MetricRow {
  const { experiment, scale, run: id, state, limit, variation } = run.summary;
  const { name, ci95, ...fields } = metric;
  const table = tables.find(({ rows }) =>
    rows.some(({ runs, cells }) =>
      runs.length === 1 && cells.some((cell) => cell?.metrics.includes(metric))
    )
  );
  const cell = table?.rows.flatMap(({ cells }) => cells)
    .find((candidate) => candidate?.metrics.includes(metric));
  return {
    experiment,
    scale,
    run: id,
    ...(variation && { variation: formatVariation(variation) }),
    state,
    ...(limit !== undefined && { limit }),
    seed: seedOf(run),
    seeds: 1,
    metric: name,
    ...fields,
    ...(ci95 && { ci95Low: ci95[0], ci95High: ci95[1] }),
    ...(cell?.difference && differenceColumns(table!.baseline, cell.difference)),
  };
}

function meanRow(
  { evaluation, baseline }: EvaluationTable,
  { runs, model, variation }: TableRow,
  cell: TableCell,
  column: TableColumn,
): MetricRow {
  const { experiment, scale } = runs[0].summary;
  const { value, stderr, seedDeviation, ci95, metrics, difference } = cell;
  const { header: _header, name, ...units } = column;
  return {
    experiment,
    scale,
    seeds: metrics.length,
    ...(Object.keys(variation).length > 0 && { variation: formatVariation(variation) }),
    evaluation,
    model,
    metric: name,
    value,
    ...(stderr !== undefined && { stderr }),
    ...(seedDeviation !== undefined && { seedDeviation }),
    ...(ci95 && { ci95Low: ci95[0], ci95High: ci95[1] }),
    n: Math.min(...metrics.map(({ n }) => n)),
    ...units,
    ...(difference && differenceColumns(baseline, difference)),
  };
}

function differenceColumns(baseline: string, difference: Difference): MetricRow {
  const { value, overItems, overSeeds, insideNoise } = difference;
  const interval = overSeeds ?? overItems;
  return {
    baseline,
    difference: value,
    ...(interval && { differenceLow: interval[0], differenceHigh: interval[1] }),
    insideNoise,
  };
}

function csvCells(row: MetricRow): unknown[] {
  return metricColumns.map((column) => row[column]);
}

function csvCell(value: unknown): string {
  const text = typeof value === "object" ? JSON.stringify(value) : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
