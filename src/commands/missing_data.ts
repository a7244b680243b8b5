/**
 * Which data is missing for which runs, and how to get it, in words.
 */
import { startsProcesses } from "../evaluation/evaluations.ts";
import type { ResolvedRun } from "../experiment/resolve.ts";
import { missingPaths } from "../experiment/estimate.ts";
import { fetchCommand, parseHubReference } from "../checkpoint/hub_cache.ts";
import { commandFor, dataSetList, readDataSets } from "../data/data_set.ts";

/** Lists experiments with the paths that their runs miss, or else with the requirements for running them. */
export async function describeMissing(runs: readonly ResolvedRun[]): Promise<string[]> {
  const lines: string[] = [];
  for (const [name, ofName] of Map.groupBy(runs, ({ experiment }) => experiment.name)) {
    const paths = await missingNames(ofName);
    const count = ofName.length === 1 ? "" : ` (${ofName.length} runs)`;
    const what = paths.length > 0
      ? paths.join(", ")
      : ofName.some(({ experiment }) => experiment.evaluations.some(startsProcesses))
      ? `permission to start processes, which "deno task measure ${ofName[0].file}" has`
      : "documents of its corpus";
    lines.push(`${name}${count}: ${what}`);
  }
  return lines;
}

/** The paths that are missing for runs, each once. */
export async function missingNames(runs: readonly ResolvedRun[]): Promise<string[]> {
  const missing = await Promise.all(runs.map(({ experiment }) => missingPaths(experiment)));
  return [...new Set(missing.flat().map(({ path }) => path))];
}

/** How to get missing data, a line for each data set that the project or an evaluation knows. */
export async function describeSources(runs: readonly ResolvedRun[]): Promise<string[]> {
  const dataSets = await readDataSets(dataSetList);
  const sources = new Map<string, string>();
  for (const { experiment } of runs) {
    for (const { field, path, source } of await missingPaths(experiment)) {
      if (source) sources.set(source.name, source.how);
      const model = parseHubReference(path);
      if (model) sources.set(path, fetchCommand(model));
      const found = commandFor({ field, path }, dataSets);
      if (found && !sources.has(found.name)) sources.set(found.name, found.command);
    }
  }
  return [...sources].map(([name, get]) => `${name}: ${get}`);
}
