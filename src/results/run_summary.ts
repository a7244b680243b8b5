/**
 * What a person is told when runs have come to their end.
 */
import { dirname, join } from "node:path";
import { type ExperimentTables, experimentTables, type SumsOf } from "./evaluation_table.ts";
import { findings } from "./interpretation.ts";
import type { DamagedRun, RunRecord } from "./read_runs.ts";
import { formatTables } from "./table.ts";

/**
 * The main tables of an experiment's runs, for each evaluation a sentence that says what it found, and where everything is.
 *
 * @param records A run, or several of one experiment.
 * @param damaged Runs of the experiment that could not be read.
 */
export function closingText(
  records: readonly RunRecord[],
  sumsOf: SumsOf,
  damaged: readonly DamagedRun[] = [],
): string {
  const [experiment] = mainTables(records, sumsOf, damaged);
  const found = foundIn(experiment, sumsOf);
  const [{ path }] = records;
  const folder = dirname(path);
  return [
    formatTables([experiment], "md").trimEnd(),
    ...(found.length > 0 ? [found.join("\n")] : []),
    [
      ...(records.length === 1 ? [`Items one by one: ${join(path, "samples")}`] : []),
      `All tables: deno task table ${records.length === 1 ? path : folder}`,
      `The experiment as a page: deno task report ${folder}`,
    ].join("\n"),
  ].join("\n\n") + "\n";
}

/** What one of several runs found, in sentences; their tables follow when all have come to their end. */
export function foundText(record: RunRecord, sumsOf: SumsOf): string {
  const [experiment] = mainTables([record], sumsOf);
  return foundIn(experiment, sumsOf).join("\n");
}

function mainTables(
  records: readonly RunRecord[],
  sumsOf: SumsOf,
  damaged: readonly DamagedRun[] = [],
): ExperimentTables[] {
  return experimentTables(records, sumsOf, damaged).map((experiment) => ({
    ...experiment,
    tables: experiment.tables.filter(({ part }) => part === ""),
  }));
}

function foundIn({ tables }: ExperimentTables, sumsOf: SumsOf): string[] {
  return tables.flatMap((table) => findings(table, sumsOf));
}
