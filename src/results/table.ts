/**
 * Tables of what is in a results folder: for each experiment one, models by metrics.
 */
import { join } from "node:path";
import {
  formatSwept,
  formatVariation,
  type Metric,
  readSummary,
  type RunSummary,
} from "./run_folder.ts";

/** Formats of a table. */
export const tableFormats = ["md", "csv", "json"] as const;

/** A format of a table. */
export type TableFormat = (typeof tableFormats)[number];

/**
 * Reads every `summary.json` below some folders, in order of their paths.
 *
 * @throws {Deno.errors.NotFound} Where a folder is missing.
 * @throws {SyntaxError} Where a summary cannot be read.
 */
export async function readSummaries(folders: readonly string[]): Promise<RunSummary[]> {
  const summaries = new Map<string, RunSummary>();
  for (const folder of folders) {
    for (const path of await summaryPaths(folder)) {
      const summary = await readSummary(path);
      if (summary) summaries.set(path, summary);
    }
  }
  return [...summaries.values()];
}

async function summaryPaths(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  if (entries.some(({ name }) => name === "summary.json")) return [join(folder, "summary.json")];
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  const paths: string[] = [];
  for (const entry of entries) {
    if (entry.isDirectory) paths.push(...await summaryPaths(join(folder, entry.name)));
  }
  return paths;
}

/** Prints summaries as tables. */
export function formatTables(summaries: readonly RunSummary[], format: TableFormat): string {
  switch (format) {
    case "md":
      return [...Map.groupBy(summaries, ({ experiment }) => experiment).values()]
        .map(markdownTable).join("\n");
    case "csv":
      return [
        metricColumns,
        ...metricRows(summaries).map((row) => metricColumns.map((c) => row[c])),
      ]
        .map((cells) => cells.map(csvCell).join(",") + "\n").join("");
    case "json":
      return JSON.stringify(metricRows(summaries), null, 2) + "\n";
    default:
      return format satisfies never;
  }
}

/** Columns of the flat formats: one metric a row. */
const metricColumns = [
  "experiment",
  "scale",
  "run",
  "variation",
  "state",
  "limit",
  "evaluation",
  "model",
  "metric",
  "value",
  "stderr",
  "ci95Low",
  "ci95High",
  "n",
  "total",
  "unit",
  "higherIsBetter",
  "metricVersion",
] as const;

type MetricRow = Partial<Record<(typeof metricColumns)[number], string | number | boolean>>;

function metricRows(summaries: readonly RunSummary[]): MetricRow[] {
  return summaries.flatMap(({ experiment, scale, run, variation, state, limit, metrics }) =>
    metrics.map((metric) => {
      const { name, ci95, ...fields } = metric;
      return {
        experiment,
        scale,
        run,
        ...(variation && { variation: formatVariation(variation) }),
        state,
        ...(limit !== undefined && { limit }),
        metric: name,
        ...fields,
        ...(ci95 && { ci95Low: ci95[0], ci95High: ci95[1] }),
      };
    })
  );
}

function csvCell(value: string | number | boolean | undefined): string {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The table of one experiment: a row for each model of each run, a column for each metric. */
function markdownTable(runs: readonly RunSummary[]): string {
  const columns = new Map<string, { metric: Metric; versioned: boolean }>();
  const metrics = runs.flatMap((run) => run.metrics);
  for (const metric of metrics) {
    // Numbers of two versions of a metric are not comparable, so they never share a column.
    const versioned = metrics.some((other) =>
      other.evaluation === metric.evaluation && other.name === metric.name &&
      other.metricVersion !== metric.metricVersion
    );
    columns.set(columnKey(metric), { metric, versioned });
  }
  const labels = runLabels(runs);
  const header = [
    ...labels.columns,
    "model",
    ...[...columns.values()].map(({ metric, versioned }) => columnTitle(metric, versioned)),
  ];
  const rows = runs.flatMap((run) =>
    [...Map.groupBy(run.metrics, ({ model }) => model)].map(([model, measured]) => [
      ...labels.cells(run),
      model,
      ...[...columns.keys()].map((key) => {
        const metric = measured.find((candidate) => columnKey(candidate) === key);
        return metric ? metricCell(metric) : "";
      }),
    ])
  );
  const [{ experiment, scale, question }] = runs;
  const limits = [...new Set(runs.flatMap(({ limit }) => limit ?? []))];
  const remarks = [
    ...(scale === "scaled-down" ? ["scaled-down"] : []),
    ...(limits.length > 0 ? [`limited to ${limits.join(" or ")} items per evaluation`] : []),
  ];
  const unfinished = runs.filter(({ state }) => state !== "completed");
  return [
    `## ${experiment}${remarks.length > 0 ? ` (${remarks.join(", ")})` : ""}`,
    ...(question !== undefined ? [question] : []),
    ...(rows.length > 0 ? [alignedTable(header, rows)] : []),
    ...(unfinished.length > 0
      ? [
        unfinished.map(({ run, state, error }) =>
          `- ${run}: ${state}${error === undefined ? "" : `: ${error.split("\n")[0]}`}`
        ).join("\n"),
      ]
      : []),
  ].join("\n\n") + "\n";
}

/** What tells runs apart: the fields that they vary, or else their ids; nothing where there is one run. */
function runLabels(
  runs: readonly RunSummary[],
): { columns: string[]; cells: (run: RunSummary) => string[] } {
  const paths = [...new Set(runs.flatMap(({ variation = {} }) => Object.keys(variation)))];
  const varied = ({ variation = {} }: RunSummary) =>
    paths.map((path) => path in variation ? formatSwept(variation[path]) : "");
  if (runs.length === 1) return { columns: [], cells: () => [] };
  // Runs of two sweeps, or of none, may agree in all that is varied.
  if (new Set(runs.map((run) => JSON.stringify(varied(run)))).size < runs.length) {
    return { columns: ["run"], cells: ({ run }) => [run] };
  }
  return { columns: paths, cells: varied };
}

function columnKey({ evaluation, name, metricVersion }: Metric): string {
  return JSON.stringify([evaluation, name, metricVersion]);
}

function columnTitle(metric: Metric, versioned: boolean): string {
  const { evaluation, name, unit, higherIsBetter, metricVersion } = metric;
  const remarks = [
    ...(unit === "" ? [] : [unit]),
    `${higherIsBetter ? "higher" : "lower"} is better`,
    ...(versioned ? [`version ${metricVersion}`] : []),
  ];
  return `${evaluation}: ${name} (${remarks.join(", ")})`;
}

/** `12.34 +- 0.56 (n = 7)`, with as many digits as the standard error makes sense of. */
function metricCell({ value, stderr, n, total }: Metric): string {
  const count = `n = ${n}${total === undefined ? "" : ` of ${total}`}`;
  if (stderr === undefined || stderr === 0) return `${significant(value, 4)} (${count})`;
  const digits = Math.min(12, Math.max(0, 1 - Math.floor(Math.log10(stderr))));
  return `${value.toFixed(digits)} \u00b1 ${stderr.toFixed(digits)} (${count})`;
}

function significant(value: number, digits: number): string {
  return Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(digits);
}

/** A Markdown table whose columns also line up as plain text. */
function alignedTable(header: readonly string[], rows: readonly string[][]): string {
  const escaped = [header, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = header.map((_, i) => Math.max(3, ...escaped.map((row) => row[i].length)));
  const lines = escaped.map((row) =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`
  );
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return lines.join("\n");
}
