/**
 * Runs that declarations ask for, whether or not they have begun: so that tables list missing data and how to get it.
 */
import { basename, dirname } from "node:path";
import { metricCatalog, readTabulatedRun } from "../evaluation/metric_catalog.ts";
import { exportsDefault } from "../experiment/load_experiments.ts";
import { type ResolvedRun, resolveRuns } from "../experiment/resolve.ts";
import { catalogued } from "../results/evaluation_table.ts";
import type { CataloguedRun } from "../results/metric_catalog.ts";
import { type FoundRuns, readRunRecords } from "../results/read_runs.ts";
import { identityOf, runPath, summaryPath } from "../queue/run_lifecycle.ts";
import { describeSources, missingNames } from "./missing_data.ts";

/** Where this project declares its experiments. */
const declarations = "experiments";

export interface DeclaredRuns extends FoundRuns<CataloguedRun> {
  /** By experiment, its runs' missing data and how to get it: sentences. */
  readonly missing: ReadonlyMap<string, readonly string[]>;
}

/**
 * The runs that a path declares: a file or folder of declarations, or else a folder of results that is not there or has no
 * runs, `results/paper_table_4`, but the name of an experiment that this project declares.
 *
 * @param results Folder of the results of declarations.
 * @returns undefined where the path is neither.
 * @throws {DeclarationError} Where a declaration is wrong.
 */
export async function declaredRuns(
  path: string,
  results: string = "results",
): Promise<DeclaredRuns | undefined> {
  if (await declares(path)) return await found(await resolveRuns([path]), results);
  if (!await declares(declarations)) return undefined;
  const runs = (await resolveRuns([declarations]))
    .filter(({ experiment }) => experiment.name === basename(path));
  return runs.length === 0 ? undefined : await found(runs, dirname(path));
}

/** Whether a path is a module, or a folder with one at some depth that may be a declaration. */
async function declares(path: string): Promise<boolean> {
  const information = await Deno.stat(path).catch(() => undefined);
  if (!information?.isDirectory) return information !== undefined && path.endsWith(".ts");
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    const inner = `${path}/${name}`;
    if (isDirectory ? await declares(inner) : name.endsWith(".ts") && await exportsDefault(inner)) {
      return true;
    }
  }
  return false;
}

/** Reads the records of runs; those without one are planned. */
async function found(runs: readonly ResolvedRun[], results: string): Promise<DeclaredRuns> {
  const records: CataloguedRun[] = [], damaged = [];
  const missing = new Map<string, string[]>();
  for (const [name, ofName] of Map.groupBy(runs, ({ experiment }) => experiment.name)) {
    const begun = await Promise.all(
      ofName.map((run) => Deno.stat(summaryPath(results, run)).then(() => true, () => false)),
    );
    const read = await readRunRecords(
      ofName.filter((_, i) => begun[i]).map((run) => runPath(results, run)),
      readTabulatedRun,
    );
    const planned = ofName.filter((_, i) => !begun[i]);
    records.push(...read.records, ...planned.map((run) => plannedRun(run, results)));
    damaged.push(...read.damaged);
    const unfinished = ofName.filter(({ id }) =>
      !read.records.some(({ summary }) => summary.run === id && summary.state === "completed")
    );
    missing.set(name, await missingSentences(unfinished));
  }
  return { records, damaged, missing };
}

function plannedRun(run: ResolvedRun, results: string): CataloguedRun {
  const record = {
    path: runPath(results, run),
    summary: { state: "planned" as const, ...identityOf(run), metrics: [] },
    declaration: { ...run.experiment },
    declarationFile: run.file,
    samples: new Map(),
    training: [],
  };
  return catalogued(record, metricCatalog);
}

async function missingSentences(runs: readonly ResolvedRun[]): Promise<string[]> {
  const names = await missingNames(runs);
  if (names.length === 0) return [];
  return [
    `Missing: ${names.join(", ")}`,
    ...(await describeSources(runs)).map((source) => `How to get ${source}`),
  ];
}
