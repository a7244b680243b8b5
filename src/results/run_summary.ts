/**
 * The summary that is printed when runs have ended.
 */
import { dirname, join } from "node:path";
import { type ExperimentTables, experimentTables } from "./evaluation_table.ts";
import type { CataloguedRun, MetricCatalog } from "./metric_catalog.ts";
import { findingTexts } from "./interpretation.ts";
import type { DamagedRun } from "./read_runs.ts";
import { formatTables } from "./table.ts";

/**
 * The main tables of an experiment's runs, for each evaluation its result in a sentence, and the locations of the files.
 *
 * @param runs A run, or several of one experiment.
 * @param damaged Runs of the experiment that could not be read.
 */
export function closingText(
  runs: readonly CataloguedRun[],
  catalog: MetricCatalog,
  damaged: readonly DamagedRun[] = [],
): string {
  const [experiment] = mainTables(runs, catalog, damaged);
  const found = findingTexts(experiment, catalog);
  const [{ path }] = runs;
  const folder = dirname(path);
  return [
    formatTables([experiment], "md").trimEnd(),
    ...(found.length > 0 ? [found.join("\n")] : []),
    [
      ...(runs.length === 1 ? [`Items one by one: ${join(path, "samples")}`] : []),
      `All tables: deno task table ${runs.length === 1 ? path : folder}`,
      `The experiment as a page: deno task report ${folder}`,
    ].join("\n"),
  ].join("\n\n") + "\n";
}

/** Results of one of several runs, in sentences; their tables follow when all have ended. */
export function foundText(run: CataloguedRun, catalog: MetricCatalog): string {
  const [experiment] = mainTables([run], catalog);
  return findingTexts(experiment, catalog).join("\n");
}

/** The main table of each evaluation; of one that has none, such as a benchmark by length, the first of its parts. */
function mainTables(
  runs: readonly CataloguedRun[],
  catalog: MetricCatalog,
  damaged: readonly DamagedRun[] = [],
): ExperimentTables[] {
  return experimentTables(runs, catalog, damaged).map((experiment) => ({
    ...experiment,
    tables: [...Map.groupBy(experiment.tables, ({ evaluation }) => evaluation).values()]
      .flatMap((tables) => {
        const main = tables.filter(({ part }) => part === "");
        return main.length > 0 ? main : tables.slice(0, 1);
      }),
  }));
}
