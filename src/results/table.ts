/**
 * Tables of the measurements of runs, as Markdown, HTML, CSV or JSON.
 */
import { fewestItems } from "./paired_comparison.ts";
import {
  type EvaluationTable,
  type ExperimentTables,
  type TableCell,
  type TableColumn,
  type TableRow,
  uncertaintyOf,
} from "./evaluation_table.ts";
import {
  type Reproduction,
  reproductionNotes,
  reproductionsOf,
  reproductionText,
} from "./paper_comparison.ts";
import { type TableText, tableText } from "./table_text.ts";
import { type Html, htmlList, htmlTable, markup } from "./html.ts";
import { formatVariation, type Metric } from "./records.ts";
import { type RunFacts, seedOf } from "./read_runs.ts";
import type { ListedExperiment } from "./table_selection.ts";
import { unfinishedText } from "./resume_command.ts";

export const tableFormats = ["md", "csv", "json", "html"] as const;

export type TableFormat = (typeof tableFormats)[number];

/**
 * Prints the tables of experiments.
 *
 * @param options `compact`: Markdown without questions, notes and legend.
 */
export function formatTables(
  experiments: readonly ExperimentTables[],
  format: TableFormat,
  { compact = false }: { compact?: boolean } = {},
): string {
  switch (format) {
    case "md":
      return [
        ...experiments.map((tables) => markdownTables(tables, compact)),
        ...(compact ? [] : [bulletList(legend(experiments))]),
      ].join("\n") + "\n";
    case "html":
      return markup`${experiments.map(htmlTables)}${htmlLegend(experiments)}`.text;
    case "csv":
      return csvLines([
        metricColumns,
        ...metricRows(experiments).map((row) => metricColumns.map((column) => row[column])),
      ]);
    case "json":
      return JSON.stringify(metricRows(experiments), null, 2) + "\n";
    default:
      return format satisfies never;
  }
}

export function formatList(listed: readonly ListedExperiment[], format: TableFormat): string {
  const headers = ["experiment", "runs", "evaluations", "question"];
  const rows = listed.map(({ experiment, runs, completed, evaluations, question }) => [
    experiment,
    completed === runs ? `${runs}` : `${completed} of ${runs} completed`,
    evaluations.join(", "),
    question,
  ]);
  const text: TableText = {
    caption: "Experiments",
    notes: [],
    headers,
    labels: headers.length,
    rows: rows.map((row) => row.map((text) => ({ text }))),
  };
  switch (format) {
    case "md":
      return alignedTable(text) + "\n";
    case "html":
      return htmlTable(text).text + "\n";
    case "csv":
      return csvLines([headers, ...rows]);
    case "json":
      return JSON.stringify(listed, null, 2) + "\n";
    default:
      return format satisfies never;
  }
}

/** Explains the marks that occur in tables. */
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
  const crossed = cells.some(({ difference }) => difference?.isCrossed);
  const certain = cells.some(({ stderr }) => stderr === 0);
  const bounded = cells.some(({ stderr, ci95 }) => stderr === undefined && ci95);
  return [
    "n: what was scored.",
    `\u00b1: standard error${seeded ? " of one seed" : ""}, over the items or, where they are ` +
    "named below a table, over the documents, books or draws that these belong to.",
    ...(bounded
      ? [
        "[low, high]: 95 % interval in place of \u00b1; of a proportion of exactly 0 or 1, whose items are all alike, it is " +
        "Wilson's over what \u00b1 would be over, or else over n.",
      ]
      : []),
    ...(certain ? ["A number without \u00b1: the same for all of them."] : []),
    ...(seeded
      ? [
        "\u03c3: sample standard deviation over seeds, in the first table of an evaluation; " +
        "values are means over seeds.",
      ]
      : []),
    ...(mixed ? ["\u2191, \u2193: higher or lower is better."] : []),
    ...(compared
      ? [
        "vs: difference from the first model on the same items, and its 95 % interval: " +
        `bootstrap over what \u00b1 is over${crossed ? ", of draws over what they ask, too" : ""}${
          seeded ? ", and Student's over seeds, where there are several, added to it" : ""
        }.`,
        "\u2248: that difference is inside the noise: its interval " +
        `holds 0, or fewer than ${fewestItems} of what \u00b1 is over differ.`,
      ]
      : []),
    ...(cells.some(({ best }) => best)
      ? [
        "Bold: the best of its column, where the difference from every other is outside the noise.",
      ]
      : []),
  ];
}

/** The tables of one experiment; compact: without remarks. */
function markdownTables(tables: ExperimentTables, compact: boolean): string {
  const { experiment, labels, question, remarks, unfinished } = tables;
  const tableLines = (text: TableText) => [
    `### ${markdownLine(text.caption)}`,
    alignedTable(text),
    ...(compact || text.notes.length === 0 ? [] : [markdownLine(`${text.notes.join("; ")}.`)]),
  ];
  const title = labels.length > 0 && !compact ? ` (${labels.map(markdownLine).join(", ")})` : "";
  const measured = tables.tables.flatMap((table) => tableLines(tableText(table, labels)));
  return [
    `## ${markdownLine(experiment)}${title}`,
    ...(question === undefined || compact ? [] : [markdownParagraph(question)]),
    ...measured,
    ...(compact ? [] : [
      ...reproductionsOf(tables).flatMap((reproduction) => [
        ...tableLines(reproductionText(reproduction)),
        bulletList(reproductionNotes(reproduction)),
      ]),
      bulletList(remarks),
      bulletList(unfinished.map(unfinishedText)),
    ]).filter((part) => part !== ""),
  ].join("\n\n") + "\n";
}

function bulletList(lines: readonly string[]): string {
  return lines.map((line) => `- ${markdownLine(line)}`).join("\n");
}

/** A Markdown table whose columns also line up as plain text. */
function alignedTable({ headers, rows, footer, labels }: TableText): string {
  const escaped = [
    headers,
    ...rows.map((row) => row.map(({ text, best }) => best ? `**${text}**` : text)),
    ...(footer ? [footer] : []),
  ].map((row) => row.map(markdownCell));
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

/** Text as one line of Markdown without elements of HTML: a `<` that would begin one stands for itself; code is kept as it is. */
function markdownLine(text: string): string {
  return text.replaceAll(/\s*[\r\n\u2028\u2029]+\s*/g, " ").split(/(`[^`]*`)/)
    .map((part, i) => i % 2 === 1 ? part : part.replaceAll(/<(?=[a-z/!?])/gi, "&lt;"))
    .join("");
}

/** Text as a paragraph of Markdown, which begins neither a heading, a list, a quotation nor code. */
function markdownParagraph(text: string): string {
  return markdownLine(text.trim())
    .replace(/^(?=#{1,6}(\s|$)|[-+*](\s|$)|>|```|~~~)/, "\\")
    .replace(/^(\d+)(?=[.)](\s|$))/, "$1\\");
}

function markdownCell(text: string): string {
  return markdownLine(text).replaceAll(/\\(?=\||$)|\|/g, "\\$&");
}

/** The tables of one experiment as a part of a page. */
function htmlTables(tables: ExperimentTables): Html {
  const { experiment, labels, question, remarks, unfinished } = tables;
  const notes = [...remarks, ...unfinished.map(unfinishedText)];
  return markup`<section>
<h2>${experiment}</h2>
${question === undefined ? undefined : markup`<p>${question}</p>\n`}${
    tables.tables.map((table) => markup`${htmlTable(tableText(table, labels))}\n`)
  }${
    reproductionsOf(tables).map((reproduction) =>
      markup`${htmlTable(reproductionText(reproduction))}\n${
        htmlList(reproductionNotes(reproduction))
      }\n`
    )
  }${notes.length > 0 ? markup`${htmlList(notes)}\n` : undefined}</section>
`;
}

/** The legend as a part of a page. */
export function htmlLegend(experiments: readonly ExperimentTables[]): Html | undefined {
  const entries = legend(experiments);
  return entries.length === 0 ? undefined : markup`<p class="legend">${entries.join(" ")}</p>\n`;
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
  "publishedTable",
  "publishedRow",
  "publishedColumn",
  "published",
  "publishedDeviation",
  "trust",
  "verdict",
] as const;

type MetricRow = Partial<Record<(typeof metricColumns)[number], unknown>>;

/**
 * Returns the rows of JSON and CSV: for each run its metrics; then, for seeds that belong together, their means; then published
 * numbers with ours, in their unit, where there is one. Undefined fields are in neither format.
 */
function metricRows(experiments: readonly ExperimentTables[]): MetricRow[] {
  return experiments.flatMap(({ runs, tables, ...experiment }) => {
    const places = placesOf(tables);
    return [
      ...runs.flatMap((run) =>
        run.summary.metrics.map((metric) => seedRow(run, metric, places.get(metric)))
      ),
      ...tables.flatMap((table) =>
        table.rows.filter(({ runs }) => runs.length > 1).flatMap((row) =>
          row.cells.flatMap((cell, i) => cell ? [meanRow(table, row, cell, table.columns[i])] : [])
        )
      ),
      ...reproductionsOf({ runs, tables, ...experiment }).flatMap(publishedRows),
    ];
  });
}

/** Where a metric of a run stands. */
interface Place {
  readonly table: EvaluationTable;
  readonly row: TableRow;
  readonly cell: TableCell;
}

/** Where metrics stand in tables, found in one pass over their cells. */
function placesOf(tables: readonly EvaluationTable[]): Map<Metric, Place> {
  return new Map(
    tables.flatMap((table) =>
      table.rows.flatMap((row) =>
        row.cells.flatMap((cell) =>
          (cell?.metrics ?? []).map((metric) => [metric, { table, row, cell: cell! }] as const)
        )
      )
    ),
  );
}

function seedRow(run: RunFacts, metric: Metric, place: Place | undefined): MetricRow {
  const { experiment, scale, run: id, state, limit, variation } = run.summary;
  const { name, stderr: _stderr, ci95: _ci95, ...fields } = metric;
  const cell = place?.cell;
  const isAlone = cell?.metrics.length === 1;
  return {
    experiment,
    scale,
    run: id,
    variation: variation && formatVariation(variation),
    state,
    limit,
    seed: seedOf(run),
    seeds: 1,
    metric: name,
    ...fields,
    ...uncertaintyColumns(uncertaintyOf(metric, {
      count: cell?.over?.count,
      isProportion: place?.table.columns.find((column) => column.name === name)?.isProportion,
    })),
    ...(isAlone && differenceColumns(place!.row, cell)),
  };
}

function meanRow(
  table: EvaluationTable,
  row: TableRow,
  cell: TableCell,
  { name, unit, higherIsBetter, metricVersion }: TableColumn,
): MetricRow {
  const { experiment, scale, variation } = row.runs[0].summary;
  const { seed: _seed, ...fields } = variation ?? {};
  const { value, metrics } = cell;
  return {
    experiment,
    scale,
    seeds: metrics.length,
    variation: formatVariation(fields) || undefined,
    evaluation: table.evaluation,
    model: row.model,
    metric: name,
    value,
    ...uncertaintyColumns(cell),
    n: Math.min(...metrics.map(({ n }) => n)),
    unit,
    higherIsBetter,
    metricVersion,
    ...differenceColumns(row, cell),
  };
}

function publishedRows({ experiment, scale, cells }: Reproduction): MetricRow[] {
  return cells.map(({ published, row, measured, verdict }): MetricRow => {
    const { table, row: publishedRow, column, value, std, unit, trust } = published;
    return {
      experiment,
      scale,
      model: row?.model,
      seeds: row?.runs.length,
      variation: row && formatVariation(row.variation) || undefined,
      ...(measured && {
        value: measured.value,
        ...uncertaintyColumns(measured),
        n: measured.n,
        total: measured.total,
        verdict,
        difference: value === undefined ? undefined : measured.value - value,
      }),
      unit,
      publishedTable: table,
      publishedRow,
      publishedColumn: column,
      published: value,
      publishedDeviation: std,
      trust,
    };
  });
}

function uncertaintyColumns(
  { stderr, seedDeviation, ci95 }: Pick<TableCell, "stderr" | "seedDeviation" | "ci95">,
): MetricRow {
  return { stderr, seedDeviation, ci95Low: ci95?.[0], ci95High: ci95?.[1] };
}

function differenceColumns(
  { baseline }: Pick<TableRow, "baseline">,
  { difference, metrics: [{ over }] }: TableCell,
): MetricRow {
  if (!difference) return {};
  const { value, interval, insideNoise } = difference;
  return {
    baseline: over ?? baseline,
    difference: value,
    differenceLow: interval?.[0],
    differenceHigh: interval?.[1],
    insideNoise,
  };
}

function csvLines(rows: readonly (readonly unknown[])[]): string {
  return rows.map((row) => row.map(csvCell).join(",") + "\n").join("");
}

function csvCell(value: unknown): string {
  const plain = typeof value === "object" ? JSON.stringify(value) : String(value ?? "");
  // A spreadsheet takes text that begins so for a formula.
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${plain}` : plain;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
