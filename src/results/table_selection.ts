/**
 * Parts of tables: the evaluations and metrics that are asked for, the main ones, or a list of experiments.
 */
import { allowedWords } from "../did_you_mean.ts";
import { InputRangeError } from "../errors.ts";
import type { EvaluationTable, ExperimentTables } from "./evaluation_table.ts";

/** Which parts of tables to keep. */
export interface TableSelection {
  /** Names of evaluations; empty: all. */
  readonly evaluations: readonly string[];
  /** Metrics by their names, each with its parts: `perplexity` with `perplexity <5K`; empty: all. */
  readonly metrics: readonly string[];
  /** Whether to keep the first table of each evaluation alone. */
  readonly mainOnly: boolean;
}

/**
 * Keeps parts of tables, and of the runs the metrics in them. Comparisons with the paper are left out, as they need all.
 *
 * @throws {InputRangeError} Where an evaluation or a metric is in none of the tables.
 */
export function selectTables(
  experiments: readonly ExperimentTables[],
  { evaluations, metrics, mainOnly }: TableSelection,
): ExperimentTables[] {
  const all = experiments.flatMap(({ tables }) => tables);
  check(evaluations, all.map(({ evaluation }) => evaluation), "evaluation", (a, b) => a === b);
  const names = all.flatMap(({ columns }) => columns.map(({ name }) => name));
  check(metrics, names, "metric", isPartOf);
  const selected = experiments.map((experiment) => {
    const tables = experiment.tables
      .filter(({ evaluation }) => evaluations.length === 0 || evaluations.includes(evaluation))
      .filter(({ part }) => !mainOnly || part === "")
      .map((table) => selectColumns(table, metrics))
      .filter(({ columns }) => columns.length > 0);
    const kept = new Set(
      tables.flatMap(({ rows }) => rows.flatMap(({ cells }) => cells))
        .flatMap((cell) => cell?.metrics ?? []),
    );
    const runs = experiment.runs.map(({ declaration, summary, ...run }) => ({
      ...run,
      summary: { ...summary, metrics: summary.metrics.filter((metric) => kept.has(metric)) },
      ...(declaration && { declaration: { ...declaration, reproduces: undefined } }),
    }));
    return { ...experiment, tables, runs };
  });
  return selected.filter(({ tables }, i) =>
    tables.length > 0 || experiments[i].tables.length === 0
  );
}

function check(
  asked: readonly string[],
  known: readonly string[],
  what: string,
  matches: (name: string, asked: string) => boolean,
): void {
  const unknown = asked.find((word) => !known.some((name) => matches(name, word)));
  if (unknown === undefined) return;
  const names = [...new Set(known)].sort();
  const whole = names.filter((name) =>
    !names.some((other) => name !== other && matches(name, other))
  );
  throw new InputRangeError(
    `Cannot print ${what} "${unknown}" as no run has it: ${allowedWords(unknown, whole)}`,
  );
}

function isPartOf(name: string, metric: string): boolean {
  return name === metric || name.startsWith(`${metric} `);
}

function selectColumns(table: EvaluationTable, metrics: readonly string[]): EvaluationTable {
  const isKept = table.columns.map(({ name }) =>
    metrics.length === 0 || metrics.some((metric) => isPartOf(name, metric))
  );
  return {
    ...table,
    columns: table.columns.filter((_, i) => isKept[i]),
    rows: table.rows.map((row) => ({ ...row, cells: row.cells.filter((_, i) => isKept[i]) })),
  };
}

export interface ListedExperiment {
  readonly experiment: string;
  readonly runs: number;
  /** How many of them are completed. */
  readonly completed: number;
  /** Names of the evaluations that have numbers. */
  readonly evaluations: readonly string[];
  readonly question: string;
}

export function listExperiments(experiments: readonly ExperimentTables[]): ListedExperiment[] {
  return experiments.map(({ experiment, question = "", runs, tables }) => ({
    experiment,
    runs: runs.length,
    completed: runs.filter(({ summary }) => summary.state === "completed").length,
    evaluations: [...new Set(tables.map(({ evaluation }) => evaluation))],
    question,
  }));
}
