import { basename, join } from "node:path";
import {
  type Command,
  type CommandArguments,
  lastValue,
  type Output,
  UsageError,
} from "../command_line.ts";
import { metricCatalog, readTabulatedRun } from "../evaluation/metric_catalog.ts";
import { type DeclaredRuns, declaredRuns } from "./declared_runs.ts";
import { type ExperimentTables, experimentTables } from "../results/evaluation_table.ts";
import type { CataloguedRun } from "../results/metric_catalog.ts";
import { findRunRecords, findRuns, type FoundRuns, type ReadRun } from "../results/read_runs.ts";
import { isInputError } from "../errors.ts";
import { ifThere, isFolder } from "../files.ts";
import { noteLinks } from "./run_states.ts";
import { formatList, formatTables, type TableFormat, tableFormats } from "../results/table.ts";
import { listExperiments, selectTables } from "../results/table_selection.ts";

/** `table [PATH...]`: tables of the runs in results folders and of declared runs. */
export function tableCommand(output: Output): Command {
  return {
    operandsArePaths: true,
    flags: [
      { name: "format", value: "FORMAT", allowed: tableFormats, help: "how to print (default md)" },
      { name: "evaluation", value: "NAME", help: "only this evaluation; repeatable" },
      {
        name: "metric",
        value: "NAME",
        help: "only this metric and its parts, as perplexity with perplexity <5K; repeatable",
      },
      { name: "compact", help: "only the first table of each evaluation, without notes" },
      { name: "list", help: "only a list of the experiments" },
    ],
    execute: async (args) => {
      const { records, damaged, missing } = await recordedOrDeclared(args, output);
      const format = (lastValue(args, "format") ?? "md") as TableFormat;
      if (records.length > 0) {
        const all = experimentTables(records, metricCatalog, damaged).map((experiment) => ({
          ...experiment,
          remarks: [...experiment.remarks, ...missing.get(experiment.experiment) ?? []],
        }));
        output.print(formatSelection(all, format, args, output));
      }
      return damaged.length > 0 ? 1 : 0;
    },
  };
}

/** The folder of results where none is named. */
const defaultResults = "results";

/** Experiments whose tables are more than a screen or two. */
const manyExperiments = 4;

/** Reads the selection and the format from the flags. */
function formatSelection(
  all: readonly ExperimentTables[],
  format: TableFormat,
  { flags }: CommandArguments,
  output: Output,
): string {
  const evaluations = flags.get("evaluation") ?? [], metrics = flags.get("metric") ?? [];
  const compact = flags.has("compact");
  const isSelected = evaluations.length + metrics.length > 0 || compact;
  const selected = isSelected
    ? usage(() => selectTables(all, { evaluations, metrics, mainOnly: compact }))
    : all;
  if (flags.has("list")) return formatList(listExperiments(selected), format).trimEnd();
  if (!isSelected && format === "md" && all.length >= manyExperiments) {
    output.note(
      `Tables of ${all.length} experiments: --list lists them, --evaluation, --metric and --compact print less`,
    );
  }
  return formatTables(selected, format, { compact }).trimEnd();
}

/** Runs a function that depends on the values of flags; its errors become usage errors. */
function usage<T>(select: () => T): T {
  try {
    return select();
  } catch (cause) {
    if (!isInputError(cause)) throw cause;
    throw new UsageError((cause as Error).message, { cause });
  }
}

/** The runs in results folders and those that declarations ask for, each once. */
async function recordedOrDeclared(
  args: CommandArguments,
  output: Output,
): Promise<DeclaredRuns> {
  const folders: string[] = [], declared: DeclaredRuns[] = [];
  for (const operand of await Promise.all(args.operands.map(namedFolder))) {
    const runs = await hasRuns(operand) ? undefined : await declaredRuns(operand);
    if (runs) declared.push(runs);
    else folders.push(operand);
  }
  if (declared.length === 0 || folders.length > 0) {
    const found = { ...args, operands: folders };
    const recorded = await runsIn(found, "print tables of", readTabulatedRun, output);
    declared.push({ ...recorded, missing: new Map() });
  }
  const records = declared.flatMap(({ records }) => records);
  const damaged = declared.flatMap(({ damaged }) => damaged);
  return {
    records: [...new Map(records.map((record) => [record.path, record])).values()],
    damaged,
    missing: new Map(declared.flatMap(({ missing }) => [...missing])),
  };
}

/** A path that a command was given; of the bare name of an experiment, its folder in `results`. */
async function namedFolder(path: string): Promise<string> {
  const isName = basename(path) === path && !await ifThere(Deno.lstat(path));
  return isName ? join(defaultResults, path) : path;
}

async function hasRuns(path: string): Promise<boolean> {
  if (!await isFolder(path)) return false;
  const { paths, unlistable } = await findRuns(path);
  return paths.length + unlistable.length > 0;
}

/**
 * The runs in the folders that a command was given, or in `results`. Those that cannot be read are noted.
 *
 * @param action Verb for errors: `print tables of`.
 * @param read Reads a run.
 * @throws {UsageError} Where a folder is missing, or no run is in them.
 */
export async function runsIn(
  { operands }: CommandArguments,
  action: string,
  read: ReadRun<CataloguedRun>,
  { note }: Output,
): Promise<FoundRuns<CataloguedRun>> {
  const folders = operands.length > 0
    ? await Promise.all(operands.map(namedFolder))
    : [defaultResults];
  for (const folder of folders) {
    if (!await isFolder(folder)) {
      throw new UsageError(
        `Cannot ${action} "${folder}" as there is no such folder: current folder is "${Deno.cwd()}"`,
      );
    }
  }
  const found = await findRunRecords(folders, read);
  for (const { path, reason } of found.damaged) note(`Left out ${path}: ${reason}`);
  noteLinks(found, note);
  if (found.records.length + found.damaged.length > 0) return found;
  throw new UsageError(`Cannot ${action} ${folders.join(", ")} as no run is in there`);
}
