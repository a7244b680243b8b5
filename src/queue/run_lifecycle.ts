import { join } from "node:path";
import type { ResolvedRun } from "../experiment/resolve.ts";
import { defined } from "../defined.ts";
import { type Environment, peakMemoryBytes } from "../results/environment.ts";
import {
  deviceDifference,
  environmentDifferences,
  hashDifference,
  metricDifference,
} from "../results/rerun_diff.ts";
import type { RunEnvironment } from "../results/records.ts";
import { type RecordWatch, RunFolder, type RunFolderOptions } from "../results/run_folder.ts";
import { TensorboardWriter } from "../results/tensorboard.ts";
import { makeFolder, writing } from "../files.ts";
import { failureDetails, isUnready, messageOf } from "../errors.ts";
import { FileLock, type LockHolder } from "../lock.ts";
import type { RunContext, RunExecutor } from "../runner/run_context.ts";

/** The folder of a run below a folder of results. */
export function runPath(results: string, { experiment, id }: ResolvedRun): string {
  return join(results, experiment.name, id);
}

/** The file that has the state and metrics of a run. */
export function summaryPath(results: string, run: ResolvedRun): string {
  return join(runPath(results, run), "summary.json");
}

/** The fields of a run's summary that name it: all but its state and metrics. */
export function identityOf(
  { experiment, id, limit, variation }: ResolvedRun,
): RunFolderOptions["identity"] {
  const { name, question, scale } = experiment;
  return defined({ experiment: name, run: id, question, scale, limit, variation });
}

/**
 * Takes the lock of a run, so that no other process executes it at the same time.
 *
 * @throws {Error} Where the run's folder cannot be written.
 */
export async function lockRun(
  results: string,
  run: ResolvedRun,
): Promise<{ lock: FileLock } | { holder: LockHolder }> {
  const path = runPath(results, run);
  await makeFolder(path);
  return await writing(path, () => FileLock.take(join(path, "lock")));
}

/** Opens the folder of a run below a folder of results, where its identity and its environment are recorded. */
export async function openRunFolder(
  run: ResolvedRun,
  options: {
    results: string;
    environment: Environment;
    fresh?: boolean;
    lock?: FileLock;
    /** Receives differences from the record that is run again. */
    remark?: (text: string) => void;
    /** Folder for TensorBoard, where the curves of trainings are written, too. */
    tensorboard?: string;
    /** Receives what cannot be written there. */
    warn?: (text: string) => void;
  },
): Promise<RunFolder> {
  const { results, environment, fresh = false, lock, remark, tensorboard, warn } = options;
  const { file: declarationFile, assignments, recorded } = run;
  return await RunFolder.open(defined({
    results,
    identity: identityOf(run),
    declaration: run.experiment,
    environment: { ...environment, ...defined({ declarationFile, assignments }) },
    fresh,
    lock,
    watch: remark && recorded?.environment && watching(recorded.environment, remark),
    curves: tensorboard === undefined
      ? undefined
      : new TensorboardWriter(runPath(tensorboard, run), (text) => warn?.(text)),
  }));
}

/** Reports inputs and devices of a run that differ from its record. */
function watching(recorded: RunEnvironment, remark: (text: string) => void): RecordWatch {
  const tell = (difference: string | undefined) => {
    if (difference !== undefined) remark(difference);
  };
  return {
    device: (device) => tell(deviceDifference(recorded, device)),
    hash: (name, sha256) => tell(hashDifference(recorded, name, sha256)),
  };
}

/** Differences in code and machine from the record that a run repeats. */
export function repetitionRemarks({ id, recorded }: ResolvedRun, current: Environment): string[] {
  if (!recorded) return [];
  const { environment, summary, path } = recorded;
  return [
    ...(summary && summary.run !== id
      ? [`the code reads its declaration otherwise: the run is ${id}, recorded was ${summary.run}`]
      : []),
    ...(environment
      ? environmentDifferences(environment, current)
      : [`${path} has no environment.json to compare with`]),
  ];
}

/**
 * Executes a run and records its state: completed, interrupted or failed; or still planned, where files or
 * permissions are missing for one that may be left out.
 *
 * @throws The executor's error, after it has been recorded.
 */
export async function recordRun(
  run: ResolvedRun,
  executor: RunExecutor,
  context: RunContext,
): Promise<void> {
  const { results, progress, signal } = context;
  const { recorded } = run;
  for (const text of repetitionRemarks(run, results.environment)) progress.note(`again: ${text}`);
  const startedAt = performance.now();
  const recordResources = () =>
    results.recordResources({
      wallSeconds: Math.ceil(performance.now() - startedAt) / 1000,
      peakMemoryBytes: peakMemoryBytes(),
    });
  try {
    await results.setState("running");
    await executor(run, context);
    await recordResources();
    await results.setState("completed");
    const compared = recorded?.summary && metricDifference(recorded.summary, results.summary);
    if (compared !== undefined) progress.note(`again: ${compared}`);
  } catch (error) {
    // Where another process has taken the run over, the failure is its consequence, and nothing may be recorded.
    await results.checkLock();
    await recordResources().catch(() => undefined);
    if (run.optional && isUnready(error)) {
      await results.setState("planned", error.message);
      throw error;
    }
    // An error of its own kind is a failure even while the run is being stopped.
    if (signal.aborted && error === signal.reason) await results.setState("interrupted");
    // Where the folder cannot be written, the error itself is all there can be.
    else {
      await results.setState("failed", messageOf(error), failureDetails(error))
        .catch(() => undefined);
    }
    throw error;
  }
}
