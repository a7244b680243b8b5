/**
 * A run, from declaration to results.
 */
import type { DeviceChoice } from "../experiment/declaration.ts";
import type { ResolvedRun } from "../experiment/resolve.ts";
import type { RunFolder } from "../results/run_folder.ts";
import type { Progress } from "./progress.ts";

/** What surrounds a run while it executes. */
export interface RunContext {
  /** Where its results go. */
  readonly results: RunFolder;
  /** Where it says how far it is. */
  readonly progress: Progress;
  /** Aborted when the user wants it to stop: the training saves a checkpoint, then throws the signal's reason. */
  readonly signal: AbortSignal;
  /** Where it runs, the command line's choice before the declaration's. */
  readonly device: DeviceChoice;
  /** Folder of its checkpoint; missing before the first one. */
  readonly checkpointFolder: string;
  /** Items per evaluation at most; already applied to the declaration's evaluations. */
  readonly limit?: number;
}

/** Executes a run; `executeRun` and the fakes of tests are such functions. */
export type RunExecutor = (run: ResolvedRun, context: RunContext) => Promise<void>;

/**
 * Trains and evaluates what a run declares, resuming from its checkpoint where there is one.
 *
 * @throws {Error} Where the run fails, or stops because the context's signal was aborted.
 */
export function executeRun(run: ResolvedRun, _context: RunContext): Promise<void> {
  return Promise.reject(new Error(`Cannot execute run "${run.id}" as training is not built yet`));
}
