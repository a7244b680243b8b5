/**
 * Measured numbers beside published ones.
 */
import {
  type EvaluationTable,
  type ExperimentTables,
  type TableCell,
  type TableRow,
} from "./evaluation_table.ts";
import {
  publishedTable,
  type PublishedTableName,
  type PublishedValue,
  publishedValues,
} from "./paper_tables.ts";
import type { CataloguedRun } from "./metric_catalog.ts";
import { signedBy, type TableText, uncertain } from "./table_text.ts";
import type { ReproductionConfig } from "./reproduction.ts";
import { runCommandOf } from "./resume_command.ts";

/**
 * Whether a number is reproduced: only a verified number can say so, at the paper's scale, by all items.
 *
 * - `reproduced`: the published number lies in the 95 % interval of ours.
 * - `not-reproduced`: it does not.
 * - `no-verdict`: it cannot be told.
 */
export type Verdict = "reproduced" | "not-reproduced" | "no-verdict";

/** A measured number beside a published one. */
export interface ReproducedCell {
  readonly published: PublishedValue;
  /** The row of ours; undefined where nothing was measured. */
  readonly row?: TableRow;
  /** The number of ours, in the published unit. */
  readonly measured?: Pick<TableCell, "value" | "stderr" | "ci95"> & {
    readonly n: number;
    readonly total: number;
  };
  /** Whether it is reproduced. */
  readonly verdict: Verdict;
}

/** An experiment's numbers beside those of a published table. */
export interface Reproduction {
  readonly experiment: string;
  readonly table: PublishedTableName;
  /** Cells that the experiment declares to measure. */
  readonly cells: readonly ReproducedCell[];
  /** Published rows and columns for which the experiment has nothing. */
  readonly undeclared: readonly string[];
  /** Whether sizes are the paper's. */
  readonly scale: "paper" | "scaled-down";
  /** The command that measures the missing numbers. */
  readonly command: string;
}

/** The comparisons that the runs of an experiment declare: one for each published table. */
export function reproductionsOf({ runs, tables }: ExperimentTables): Reproduction[] {
  const declared = Map.groupBy(
    runs.filter(({ declaration }) => declaration?.reproduces !== undefined),
    ({ declaration }) => (declaration!.reproduces as ReproductionConfig).table,
  );
  return [...declared].map(([table, ofTable]) => reproductionOf(table, ofTable, tables));
}

function reproductionOf(
  table: PublishedTableName,
  runs: readonly CataloguedRun[],
  tables: readonly EvaluationTable[],
): Reproduction {
  const config = runs[0].declaration!.reproduces as ReproductionConfig;
  const values = publishedValues(table);
  const atScale = runs.every(({ summary }) =>
    summary.scale === "paper" && summary.limit === undefined && summary.state === "completed"
  );
  const cells = config.rows.flatMap(({ row, model, evaluation: ofRow }) =>
    config.columns.flatMap(({ column, metric, evaluation: ofColumn }): ReproducedCell[] => {
      const evaluation = ofRow ?? ofColumn;
      const published = values.find((value) => value.row === row && value.column === column)!;
      const found = findCells(tables, { model, metric, evaluation })
        .filter(({ row }) => row.runs.some((run) => runs.includes(run)));
      if (found.length === 0) return [{ published, verdict: "no-verdict" }];
      return found.map(({ row, cell, unit }) => {
        const measured = inUnit(cell, unit, published.unit);
        return { published, row, measured, verdict: verdictOf(published, measured, atScale) };
      });
    })
  );
  const { rows, columns } = publishedTable(table);
  return {
    experiment: runs[0].summary.experiment,
    table,
    cells,
    undeclared: [
      ...rows.filter((row) => !config.rows.some((declared) => declared.row === row)),
      ...columns.filter((column) => !config.columns.some((declared) => declared.column === column)),
    ],
    scale: runs.every(({ summary }) => summary.scale === "paper") ? "paper" : "scaled-down",
    command: runCommandOf(runs[0]),
  };
}

function findCells(
  tables: readonly EvaluationTable[],
  wanted: { model: string; metric: string; evaluation: string | undefined },
): { row: TableRow; cell: TableCell; unit: string }[] {
  const { model, metric, evaluation } = wanted;
  const table = tables.find(({ columns, ...candidate }) =>
    (evaluation === undefined || candidate.evaluation === evaluation) &&
    columns.some(({ name }) => name === metric)
  );
  const i = table?.columns.findIndex(({ name }) => name === metric) ?? -1;
  return (table?.rows ?? []).flatMap((row) => {
    const cell = row.cells[i];
    return row.model === model && cell ? [{ row, cell, unit: table!.columns[i].unit }] : [];
  });
}

/** Fractions of 1 are published in per cent. */
function inUnit(
  cell: TableCell,
  unit: string,
  published: string,
): ReproducedCell["measured"] & object {
  const factor = unit === "" && published === "%" ? 100 : 1;
  const { value, stderr, ci95, metrics } = cell;
  const n = Math.min(...metrics.map(({ n }) => n));
  return {
    value: factor * value,
    ...(stderr !== undefined && { stderr: factor * stderr }),
    ...(ci95 && { ci95: [factor * ci95[0], factor * ci95[1]] as const }),
    n,
    total: Math.max(...metrics.map(({ n, total }) => total ?? n)),
  };
}

function verdictOf(
  { value, trust }: PublishedValue,
  measured: ReproducedCell["measured"] & object,
  atScale: boolean,
): Verdict {
  const { ci95, n, total } = measured;
  if (trust !== "verified" || value === undefined || !atScale || !ci95 || n < total) {
    return "no-verdict";
  }
  return ci95[0] <= value && value <= ci95[1] ? "reproduced" : "not-reproduced";
}

const trustWords = {
  "verified": "verified",
  "from-memory": "from memory, unverified",
  "unknown": "unknown",
} as const;

const verdictWords = {
  "reproduced": "reproduced",
  "not-reproduced": "not reproduced",
  "no-verdict": "none",
} as const;

const comparedHeaders = ["ours", "n", "published", "trust", "difference", "verdict"];

/** The words of a comparison. */
export function reproductionText(reproduction: Reproduction): TableText {
  const { table, cells, scale } = reproduction;
  const varied = [...new Set(cells.flatMap(({ row }) => Object.keys(row?.variation ?? {})))];
  return {
    caption: `${publishedTable(table).title}: ours beside ${table}`,
    notes: [
      `scale of ours: ${scale}`,
      ...(cells.some(({ published }) => published.std !== undefined)
        ? ["s: standard deviation over seeds, as published"]
        : []),
    ],
    headers: ["row", "column", ...varied, ...comparedHeaders],
    labels: 2 + varied.length,
    rows: cells.map(({ published, row, measured, verdict }) => {
      const { value, std, unit } = published;
      const suffix = unit === "" ? "" : ` ${unit}`;
      const difference = measured && value !== undefined ? measured.value - value : undefined;
      return [
        { text: published.row },
        { text: published.column },
        ...varied.map((name) => ({ text: row?.variation[name] ?? "" })),
        measured
          ? { text: uncertain(measured) + suffix, value: measured.value }
          : { text: "not measured" },
        measured
          ? {
            text: measured.n === measured.total
              ? `${measured.n}`
              : `${measured.n} of ${measured.total}`,
            value: measured.n,
          }
          : { text: "" },
        value === undefined
          ? { text: "?" }
          : { text: `${value}${std === undefined ? "" : ` (s ${std})`}${suffix}`, value },
        { text: trustWords[published.trust] },
        difference === undefined
          ? { text: "" }
          : { text: signedBy(difference, measured?.stderr), value: difference },
        { text: measured ? verdictWords[verdict] : "" },
      ];
    }),
  };
}

/** Notes on a comparison: missing numbers and how to get them, and why there is no verdict. */
export function reproductionNotes({ cells, undeclared, scale, command }: Reproduction): string[] {
  const missing = cells.filter(({ measured }) => !measured)
    .map(({ published: { row, column } }) => `${row} ${column}`);
  const remarks = [
    ...new Set(
      cells.flatMap(({ published: { row, column, note } }) =>
        note === undefined ? [] : [`${row} ${column}: ${note}`]
      ),
    ),
  ];
  return [
    ...(missing.length === cells.length
      ? [`Nothing of it is measured; \`${command}\` measures what it declares`]
      : missing.length > 0
      ? [`Not measured: ${missing.join(", ")}; \`${command}\` measures what it declares`]
      : []),
    ...(undeclared.length > 0 ? [`Without a counterpart here: ${undeclared.join(", ")}`] : []),
    scale === "paper"
      ? "A verdict is given only on verified numbers, by completed runs over all items"
      : "Scaled down: these numbers answer the same question at another size, so that none of them can be called " +
        "reproduced or not",
    ...remarks,
  ];
}
