/**
 * Several runs, some at once: what is finished is kept, what another process executes is left to it.
 */
import { outdatedEvaluations } from "../runner/metric_version.ts";
import type { ResolvedRun } from "../experiment/resolve.ts";
import type { Environment } from "../results/environment.ts";
import { formatVariation, readSummary, type RunSummary } from "../results/records.ts";
import { recordVariation } from "../results/run_folder.ts";
import { failureText } from "../errors.ts";
import { describeHolder } from "../lock.ts";
import type { Display } from "./terminal.ts";
import { Pace, type Work } from "./eta.ts";
import { Progress } from "./progress.ts";
import { lockRun, openRunFolder, recordRun, runPath } from "./run_lifecycle.ts";
import type { RunExecutor } from "../runner/run_context.ts";

/** How runs are executed. */
export interface QueueOptions {
  /** Folder of all results. */
  readonly results: string;
  /** Where this command runs. */
  readonly environment: Environment;
  /** Starts anew, whatever earlier runs left. */
  readonly fresh: boolean;
  /** Runs at once. */
  readonly jobs: number;
  /** Resumes runs that have failed; else they are only listed. */
  readonly retryFailed: boolean;
  /** Begins no run after one has failed. */
  readonly failFast: boolean;
  /** Aborted when runs should save a checkpoint and stop; no further run begins. */
  readonly signal: AbortSignal;
  /** Where runs say how far they are. */
  readonly display: Display;
  /** Takes what is said about failures. */
  readonly report: (text: string) => void;
  /** The parts of a run, to tell how long it will take. */
  readonly worksOf: (run: ResolvedRun) => Promise<readonly Work[]>;
  /** What to show of a run that has been completed, from its folder. */
  readonly closing: (folder: string) => Promise<string>;
}

/**
 * What a run has come to in a queue. Earlier: before the queue began. `locked`: another process executes it.
 * `left out`: its files, or permissions, are missing. `waiting`: it has not begun.
 */
export type QueuedState =
  | "completed"
  | "completed earlier"
  | "failed"
  | "failed earlier"
  | "interrupted"
  | "left out"
  | "locked"
  | "waiting";

/** A run in a queue. */
interface QueuedRun {
  readonly run: ResolvedRun;
  readonly progress: Progress;
  state: QueuedState;
  /** Whether its folder has been prepared, so that nothing is to be removed from it any more. */
  prepared: boolean;
}

/**
 * Executes runs in order; one that fails does not stop the others.
 *
 * @returns What each has come to, in the order of the runs.
 */
export async function executeQueue(
  runs: readonly ResolvedRun[],
  executor: RunExecutor,
  options: QueueOptions,
): Promise<QueuedState[]> {
  const { signal, failFast, jobs } = options;
  const pace = new Pace();
  const queue = runs.map((run, i): QueuedRun => {
    const label = `${run.experiment.name}/${run.id}`;
    const place = runs.length > 1 ? `${i + 1}/${runs.length}` : run.experiment.name;
    const progress = new Progress({ label, place, display: options.display, pace });
    return { run, progress, state: "waiting", prepared: false };
  });
  for (const queued of queue) await attempt(queued, options, () => prepare(queued, options));
  const waiting = queue.filter(({ state }) => state === "waiting");
  const works = new Map<string, readonly Work[]>();
  for (const { run } of waiting) {
    // A run whose sizes cannot be told says so itself.
    works.set(labelOf(run), await options.worksOf(run).catch(() => []));
  }
  pace.plan(works);
  let next = 0;
  const work = async () => {
    while (next < waiting.length && !signal.aborted) {
      if (failFast && waiting.some(({ state }) => state === "failed")) break;
      const queued = waiting[next++];
      const place = queue.indexOf(queued) + 1;
      await attempt(queued, options, () => executeOne(queued, place, queue, executor, options));
      pace.finish(labelOf(queued.run));
      const remark = pace.remark();
      if (remark && !options.display.overwrites) queued.progress.note(remark);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return queue.map(({ state }) => state);
}

/** Does something with a run; where that throws, the run has failed. */
async function attempt(
  queued: QueuedRun,
  { report }: QueueOptions,
  action: () => Promise<void>,
): Promise<void> {
  try {
    await action();
  } catch (error) {
    queued.state = "failed";
    report(`${labelOf(queued.run)} failed: ${failureText(error)}`);
  }
}

/** Makes the folder of a run that is to be executed; tells the state of one that is not. */
async function prepare(queued: QueuedRun, options: QueueOptions): Promise<void> {
  const { run } = queued;
  const { fresh, results } = options;
  if (!fresh && await isSettled(queued, options)) return;
  const locked = await lockRun(results, run);
  // Whether another process still has it is asked again when its turn comes.
  if ("holder" in locked) return;
  using _lock = locked.lock;
  const earlier = fresh ? undefined : await readSummary(summaryPath(results, run));
  if (earlier === undefined) await openRunFolder(run, options);
  queued.prepared = true;
}

/** Whether there is nothing to do for a run, as far as its summary says; then the state is what it has come to. */
async function isSettled(queued: QueuedRun, options: QueueOptions): Promise<boolean> {
  const { run, progress } = queued;
  const { results, retryFailed, report } = options;
  const earlier = await readSummary(summaryPath(results, run));
  if (earlier?.state === "completed") {
    const outdated = outdatedNames(run, earlier);
    if (outdated.length > 0) return false;
    if (run.variation) await recordVariation(summaryPath(results, run), run.variation);
    const again = run.recorded ? "; --results FOLDER runs it again there" : "";
    progress.note(`completed earlier${again}`);
    queued.state = "completed earlier";
    return true;
  }
  if (earlier?.state === "failed" && !retryFailed) {
    report(
      `${labelOf(run)} failed earlier: ${earlier.error ?? "no reason is recorded"}; ` +
        "--retry-failed resumes it",
    );
    queued.state = "failed earlier";
    return true;
  }
  return false;
}

/** Names of the evaluations of a completed run that are to be measured again. */
export function outdatedNames({ experiment }: ResolvedRun, { metrics }: RunSummary): string[] {
  return outdatedEvaluations(experiment.evaluations, metrics).map(({ name }) => name);
}

/** Executes a run, unless another process does, or has meanwhile. */
async function executeOne(
  queued: QueuedRun,
  place: number,
  { length: total }: readonly QueuedRun[],
  executor: RunExecutor,
  options: QueueOptions,
): Promise<void> {
  const { run, progress } = queued;
  const { results: folder, fresh, signal, report } = options;
  const locked = await lockRun(folder, run);
  if ("holder" in locked) {
    queued.state = "locked";
    progress.note(`left to ${describeHolder(locked.holder)}, which executes it`);
    return;
  }
  using _lock = locked.lock;
  const anew = fresh && !queued.prepared;
  if (!anew && await isSettled(queued, options)) return;
  const varies = run.variation ? `: ${formatVariation(run.variation)}` : "";
  progress.begin(`run ${place} of ${total}${varies}`);
  const remark = (text: string) => progress.note(`again: ${text}`);
  const results = await openRunFolder(run, { ...options, fresh: anew, remark });
  try {
    await recordRun(run, executor, { results, progress, signal });
    queued.state = "completed";
  } catch (error) {
    if (results.summary.state === "interrupted") {
      queued.state = "interrupted";
      progress.note("interrupted");
      return;
    }
    if (results.summary.state === "planned") {
      queued.state = "left out";
      progress.note(`left out: ${failureText(error)}`);
      return;
    }
    queued.state = "failed";
    const recorded = results.summary.state === "failed";
    progress.note(recorded ? `failed; details are in ${results.path}/failure.txt` : "failed");
    report(`${labelOf(run)} failed: ${failureText(error)}`);
    return;
  }
  progress.note(`completed: ${results.path}`);
  // It is completed, whether or not it can be read.
  const closing = await options.closing(results.path).catch(failureText);
  options.display.stay(labelOf(run), `\n${closing}`);
}

function labelOf({ experiment, id }: ResolvedRun): string {
  return `${experiment.name}/${id}`;
}

function summaryPath(results: string, run: ResolvedRun): string {
  return `${runPath(results, run)}/summary.json`;
}

/** One line about all runs of a queue, and where their results are. */
export function summarizeQueue(states: readonly QueuedState[], results: string): string {
  const count = (...wanted: QueuedState[]) => states.filter((s) => wanted.includes(s)).length;
  const part = (text: string, now: QueuedState, earlier?: QueuedState) => {
    const all = count(...earlier ? [now, earlier] : [now]);
    const before = earlier ? count(earlier) : 0;
    return all === 0 ? [] : [`${all} ${text}${before > 0 ? ` (${before} earlier)` : ""}`];
  };
  const parts = [
    ...part("completed", "completed", "completed earlier"),
    ...part("failed", "failed", "failed earlier"),
    ...part("left out", "left out"),
    ...part("skipped, as other processes execute them", "locked"),
    ...part("interrupted", "interrupted"),
    ...part("not begun", "waiting"),
  ];
  const runs = `${states.length} run${states.length === 1 ? "" : "s"}`;
  return `${runs}: ${parts.join(", ")}; results are in ${results}`;
}
