/**
 * From declarations and the command line to runs: `--set`, `--limit`, `--device`, and
 * the identity of each run.
 */
import type { z } from "zod";
import type { RecordedRun } from "../results/rerun_diff.ts";
import type { Variation } from "../results/records.ts";
import { atRecordedPaths, canonicalJson, identityOf } from "../declaration/identity.ts";
import { kindOf } from "../evaluation/evaluations.ts";
import { assign } from "./overrides.ts";
import type { DeviceChoice, Experiment, ResolvedExperiment } from "./declaration.ts";
import { loadExperiments } from "./load_experiments.ts";
import { DeclarationError } from "../declaration/problem.ts";
import { type ResolvedVariant, resolveVariants } from "./sweep.ts";
import { experimentSchema } from "./schema.ts";
import { shapeOnFile } from "./shapes.ts";
import { checkBackbone } from "./validation.ts";
import { sha256Of } from "../sha256.ts";

/** One run to do: an experiment with nothing left open. */
export interface ResolvedRun {
  /** Names the run within its experiment; derived from the declaration, see {@link runId}. */
  readonly id: string;
  readonly experiment: ResolvedExperiment;
  readonly file: string;
  /** Items per evaluation at most, where the command line limits them. */
  readonly limit?: number;
  /** Fields that the command line overrides, `path=value` each; absent where that is nothing. */
  readonly assignments?: readonly string[];
  /** Declared by a file of a folder, and not by one that was named itself: where data is missing, it is left out. */
  readonly optional?: true;
  /** The fields that its sweep varies, with their values; absent where nothing is swept. */
  readonly variation?: Variation;
  /** The record from which it is run again; absent where its declaration is not that of a record, or has been changed. */
  readonly recorded?: RecordedRun;
}

/** The name of a run among those of a folder of results: `<experiment>/<run>`. */
export function runLabel({ experiment, id }: Pick<ResolvedRun, "experiment" | "id">): string {
  return `${experiment.name}/${id}`;
}

/** Changes that the command line makes to declarations. */
export interface ResolveOptions {
  /** `path=value` pairs, applied in order to every experiment. */
  readonly assignments?: readonly string[];
  /** Items per evaluation at most. */
  readonly limit?: number;
  readonly device?: DeviceChoice;
}

/**
 * Loads declarations from files and folders and resolves them into runs, in the order of the paths
 * and, in a folder, of file names. Equal runs are listed once.
 *
 * @throws {DeclarationError} Where a path, a declaration or an assignment is wrong.
 */
export async function resolveRuns(
  paths: readonly string[],
  options: ResolveOptions = {},
): Promise<ResolvedRun[]> {
  const runs = new Map<string, ResolvedRun>();
  for (const { file, experiment, inFolder, recorded } of await loadExperiments(paths)) {
    for (const resolved of resolveSweep(file, experiment, options)) {
      const repeats = recorded && resolveRun(file, experiment).id === resolved.id;
      const run = repeats ? again(resolved, recorded) : resolved;
      const shape = await shapeOnFile(run.experiment);
      if (shape) inFile(file, () => checkBackbone(run.experiment, shape));
      const key = runLabel(run);
      const { optional = inFolder, ...earlier } = runs.get(key) ?? run;
      const variation = { ...earlier.variation, ...run.variation };
      runs.set(key, {
        ...earlier,
        ...(optional && inFolder && { optional }),
        ...(Object.keys(variation).length > 0 && { variation }),
      });
    }
  }
  return [...runs.values()];
}

/** A run with the record that it repeats, and the labels that are recorded. */
function again(run: ResolvedRun, recorded: RecordedRun): ResolvedRun {
  const { limit, variation } = { ...recorded.summary, ...run };
  return {
    ...run,
    ...(limit !== undefined && { limit }),
    ...(variation && { variation }),
    recorded,
  };
}

/**
 * Resolves one declaration into its runs: one, or those of its sweep.
 *
 * @param file File of the declaration, for errors and for the runs' records.
 * @throws {DeclarationError} Where the declaration or an assignment is wrong.
 */
export function resolveSweep(
  file: string,
  declared: Experiment,
  options: ResolveOptions = {},
): ResolvedRun[] {
  const { assignments = [] } = options;
  const variants = inFile(file, () => resolveVariants(assign(declared, assignments)));
  return variants.map((variant) => resolveVariant(file, variant, options));
}

/**
 * Resolves a declaration of one run.
 *
 * @param file File of the declaration, for errors and for the run's record.
 * @throws {DeclarationError} Where the declaration or an assignment is wrong, or its sweep has several runs.
 */
export function resolveRun(
  file: string,
  declared: Experiment,
  options: ResolveOptions = {},
): ResolvedRun {
  const runs = resolveSweep(file, declared, options);
  if (runs.length > 1) {
    throw new DeclarationError(
      `Cannot run "${declared.name}" as one run as its sweep has ${runs.length}: allowed are the ` +
        "experiments that expandSweep() makes of it",
    );
  }
  return runs[0];
}

function resolveVariant(
  file: string,
  { experiment: resolved, variation }: ResolvedVariant,
  { limit, device, assignments = [] }: ResolveOptions,
): ResolvedRun {
  const experiment: ResolvedExperiment = {
    ...resolved,
    // The limit becomes part of the declaration: its numbers are not those of the whole evaluation.
    ...(limit !== undefined && {
      evaluations: resolved.evaluations.map((evaluation) =>
        kindOf(evaluation).limit(evaluation, limit)
      ),
    }),
    ...(device !== undefined && { device }),
  };
  return {
    id: runId(experiment),
    experiment,
    file,
    ...(limit !== undefined && { limit }),
    ...(assignments.length > 0 && { assignments }),
    ...(Object.keys(variation).length > 0 && { variation }),
  };
}

/**
 * Names a run: its memory and seed to read, and a hash of its declaration to tell it from others.
 *
 * Left out of the hash are the fields that their parts declare as unmeasured: `name` (runs lie in a folder of that name),
 * `question`, `reproduces`, `scale` (labels), `device`, `threads` (rounding apart, all devices compute the same) and every
 * `checkpointEverySteps` (a resumed run equals one that was not interrupted). So an interrupted run may be resumed on another
 * device. Fields that are newer than recorded runs are left out, too, where they change nothing. Paths that have `moved` count as
 * those that runs were recorded with.
 *
 * @param schema Form of the declaration, of which fields are declared so; that of all experiments, but in tests.
 */
export function runId(
  experiment: ResolvedExperiment,
  schema: z.ZodType = experimentSchema(),
): string {
  const { memory, seed, moved = {} } = experiment;
  const readable = memory
    ? `m${memory.capacityTokens}-c${memory.chunkTokens}-k${memory.retrievedTokens}`
    : "no-memory";
  const identity = canonicalJson(atRecordedPaths(identityOf(schema, experiment), moved));
  const hash = sha256Of(identity);
  return `${readable}-seed${seed}-${hash.slice(0, 8)}`;
}

/** Names the file in the errors of one of its declarations. */
function inFile<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof DeclarationError)) throw error;
    throw new DeclarationError(`${file}: ${error.message}`, error.problems);
  }
}
