/**
 * What a person is told when a run has come to its end.
 */
import { dirname, join } from "node:path";
import { experimentTables, type SumsOf } from "./evaluation_table.ts";
import { findings } from "./finding.ts";
import type { RunRecord } from "./run_record.ts";
import { formatTables } from "./table.ts";

/** The run's main tables, for each evaluation a sentence that says what it found, and where everything is. */
export function closingText(record: RunRecord, sumsOf: SumsOf): string {
  const [experiment] = experimentTables([record], sumsOf);
  const tables = experiment.tables.filter(({ part }) => part === "");
  const found = tables.flatMap((table) => findings(table, sumsOf));
  return [
    formatTables([{ ...experiment, tables }], "md").trimEnd(),
    ...(found.length > 0 ? [found.join("\n")] : []),
    [
      `Items one by one: ${join(record.path, "samples")}`,
      `All tables: deno task table ${record.path}`,
      `The experiment as a page: deno task report ${dirname(record.path)}`,
    ].join("\n"),
  ].join("\n\n") + "\n";
}
