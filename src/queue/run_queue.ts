/**
 * Executes several runs, some at once: finished ones are kept, those of another process are left to it.
 */
import { outdatedEvaluations } from "../evaluation/evaluations.ts";
import { type ResolvedRun, runLabel } from "../experiment/resolve.ts";
import type { Environment } from "../results/environment.ts";
import {
  formatVariation,
  readEnvironment,
  readSummary,
  type RunSummary,
} from "../results/records.ts";
import { changedInputs, describeChanges } from "../runner/inputs.ts";
import { counted } from "../quantities.ts";
import { recordVariation } from "../results/run_folder.ts";
import { failureText, isUnready } from "../errors.ts";
import { describeHolder, LostLockError } from "../lock.ts";
import type { Display } from "./terminal.ts";
import { Pace, type Work } from "./eta.ts";
import { Progress } from "./progress.ts";
import { lockRun, openRunFolder, recordRun, runPath, summaryPath } from "./run_lifecycle.ts";
import type { RunExecutor } from "../runner/run_context.ts";

/** How runs are executed. */
export interface QueueOptions {
  readonly results: string;
  /** Folder for TensorBoard, where the curves of trainings are written, too. */
  readonly tensorboard?: string;
  /** Where this command runs. */
  readonly environment: Environment;
  /** Starts over, discarding earlier results. */
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
  /** Receives messages about failures. */
  readonly report: (text: string) => void;
  /** The parts of a run, to estimate its time. */
  readonly worksOf: (run: ResolvedRun) => Promise<readonly Work[]>;
  /** Text to show of a completed run, from its folder. */
  readonly closing: (folder: string) => Promise<string>;
}

/**
 * State of a run in a queue. Earlier: before the queue began. Elsewhere: in another process, while the queue ran.
 * `locked`: another process still executes it. `taken over`: likewise, although the queue had begun it. `left out`: its files, or permissions, are missing. `waiting`: it has not begun.
 */
export type QueuedState =
  | "completed"
  | "completed earlier"
  | "completed elsewhere"
  | "failed"
  | "failed earlier"
  | "interrupted"
  | "left out"
  | "locked"
  | "taken over"
  | "waiting";

interface QueuedRun {
  readonly run: ResolvedRun;
  readonly progress: Progress;
  state: QueuedState;
  /** Whether nothing is to be removed from its folder any more: it has been prepared, or another process has it. */
  prepared: boolean;
}

/** Whether a run's metrics are there. */
export function isCompleted(state: QueuedState): boolean {
  return state === "completed" || state === "completed earlier" || state === "completed elsewhere";
}

/**
 * Executes runs in order; one that fails does not stop the others.
 *
 * @returns The state of each, in the order of the runs.
 */
export async function executeQueue(
  runs: readonly ResolvedRun[],
  executor: RunExecutor,
  options: QueueOptions,
): Promise<QueuedState[]> {
  const { signal, failFast, jobs } = options;
  const pace = new Pace();
  const queue = runs.map((run, i): QueuedRun => {
    const label = runLabel(run);
    const place = runs.length > 1 ? `${i + 1}/${runs.length}` : run.experiment.name;
    const progress = new Progress({ label, place, display: options.display, pace });
    return { run, progress, state: "waiting", prepared: false };
  });
  let before = 0;
  for (const queued of queue) {
    // Runs that begin at once need no preparation.
    await attempt(queued, options, () => prepare(queued, before < jobs, options));
    if (queued.state === "waiting") before++;
  }
  const waiting = queue.filter(({ state }) => state === "waiting");
  const works = new Map<string, readonly Work[]>();
  for (const { run } of waiting) {
    // A run whose sizes cannot be told says so itself.
    works.set(runLabel(run), await options.worksOf(run).catch(() => []));
  }
  pace.plan(works);
  const executeAll = async (pending: readonly QueuedRun[]) => {
    let next = 0;
    const work = async () => {
      while (next < pending.length && !signal.aborted) {
        if (failFast && waiting.some(({ state }) => state === "failed")) break;
        const queued = pending[next++];
        const place = queue.indexOf(queued) + 1;
        await attempt(queued, options, () => executeOne(queued, place, queue, executor, options));
        pace.finish(runLabel(queued.run));
        const remark = pace.remark();
        if (remark && !options.display.overwrites) queued.progress.note(remark);
      }
    };
    await Promise.all(Array.from({ length: jobs }, work));
  };
  await executeAll(waiting);
  // Meanwhile other processes may have completed their runs, or ended without completing them.
  await executeAll(queue.filter(({ state }) => state === "locked"));
  // Taking a run back would only take it from the process that took it over.
  for (const queued of queue.filter(({ state }) => state === "taken over")) {
    await isSettled(queued, "elsewhere", options);
  }
  return queue.map(({ state }) => state);
}

/** Does something with a run; where that throws, the run has failed, or belongs to the process that took over its lock. */
async function attempt(
  queued: QueuedRun,
  { report }: QueueOptions,
  action: () => Promise<void>,
): Promise<void> {
  try {
    await action();
  } catch (error) {
    const isLeft = error instanceof LostLockError && error.holder !== undefined;
    queued.state = isLeft ? "taken over" : "failed";
    report(`${runLabel(queued.run)} ${isLeft ? "was left" : "failed"}: ${failureText(error)}`);
  }
}

/** Makes the folder of a run that is to be executed; tells the state of one that is not. */
async function prepare(
  queued: QueuedRun,
  beginsAtOnce: boolean,
  options: QueueOptions,
): Promise<void> {
  const { run } = queued;
  const { fresh, results } = options;
  if (!fresh && await isSettled(queued, "earlier", options)) return;
  if (beginsAtOnce) return;
  if (!fresh && await readSummary(summaryPath(results, run))) return;
  const locked = await lockRun(results, run);
  // Whether another process still has it is asked again when its turn comes.
  if ("holder" in locked) return;
  using lock = locked.lock;
  const earlier = fresh ? undefined : await readSummary(summaryPath(results, run));
  if (earlier === undefined) await openRunFolder(run, { ...options, lock });
  queued.prepared = true;
}

/** Whether there is nothing to do for a run, as far as its summary says; then its state is set. */
async function isSettled(
  queued: QueuedRun,
  completed: "earlier" | "elsewhere",
  options: QueueOptions,
): Promise<boolean> {
  const { run, progress } = queued;
  const { results, retryFailed, report } = options;
  const earlier = await readSummary(summaryPath(results, run));
  if (earlier?.state === "completed") {
    const outdated = outdatedNames(run, earlier);
    if (outdated.length > 0) return false;
    if (run.variation) {
      // It is completed, whether or not it can be told apart from the others, as on a disk that is full.
      await recordVariation(summaryPath(results, run), run.variation)
        .catch((error) => progress.note(failureText(error)));
    }
    const again = run.recorded ? "; --results FOLDER runs it again there" : "";
    progress.note(
      completed === "earlier"
        ? `completed earlier${again}${await changesSince(run, results)}`
        : "completed by another process",
    );
    queued.state = `completed ${completed}`;
    return true;
  }
  if (earlier?.state === "failed" && !retryFailed) {
    report(
      `${runLabel(run)} failed earlier: ${earlier.error ?? "no reason is recorded"}; ` +
        "--retry-failed resumes it",
    );
    queued.state = "failed earlier";
    return true;
  }
  return false;
}

/** Changes of a completed run's inputs, to be appended to a sentence; empty if there are none. */
export async function changesSince(run: ResolvedRun, results: string): Promise<string> {
  const environment = await readEnvironment(`${runPath(results, run)}/environment.json`)
    .catch(() => undefined);
  if (!environment) return "";
  // Inputs that can no longer be read do not make the results doubtful.
  const changes = await changedInputs(run.experiment, environment).catch(() => []);
  return changes.length > 0
    ? `; since then ${describeChanges(changes)}: --fresh runs it again`
    : "";
}

/** Names of the evaluations of a completed run that are to be measured again. */
export function outdatedNames({ experiment }: ResolvedRun, { metrics }: RunSummary): string[] {
  return outdatedEvaluations(experiment.evaluations, metrics).map(({ name }) => name);
}

/** Executes a run, unless another process does, or has done so meanwhile. */
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
    const holder = describeHolder(locked.holder);
    progress.note(
      queued.state === "locked"
        ? `still executed by ${holder}`
        : `left to ${holder}, which executes it`,
    );
    queued.state = "locked";
    queued.prepared = true;
    return;
  }
  using lock = locked.lock;
  const restarts = fresh && !queued.prepared;
  if (!restarts && await isSettled(queued, "elsewhere", options)) return;
  const varies = run.variation ? `: ${formatVariation(run.variation)}` : "";
  progress.begin(`run ${place} of ${total}${varies}`);
  const results = await openRunFolder(run, {
    ...options,
    fresh: restarts,
    lock,
    remark: (text) => progress.note(`again: ${text}`),
    warn: (text) => progress.note(text),
  });
  try {
    await recordRun(run, executor, { results, progress, signal });
    queued.state = "completed";
  } catch (error) {
    if (error instanceof LostLockError && error.holder) throw error;
    if (signal.aborted && error === signal.reason) {
      queued.state = "interrupted";
      progress.note("interrupted");
      return;
    }
    if (run.optional && isUnready(error)) {
      queued.state = "left out";
      progress.note(`left out: ${failureText(error)}`);
      return;
    }
    queued.state = "failed";
    const recorded = results.summary.state === "failed";
    progress.note(recorded ? `failed; details are in ${results.path}/failure.txt` : "failed");
    report(`${runLabel(run)} failed: ${failureText(error)}`);
    return;
  }
  progress.note(`completed: ${results.path}`);
  // It is completed, whether or not it can be read.
  const closing = await options.closing(results.path).catch(failureText);
  options.display.stay(runLabel(run), `\n${closing}`);
}

/** One line about all runs of a queue, and where their results are. */
export function summarizeQueue(states: readonly QueuedState[], results: string): string {
  const count = (wanted: QueuedState) => states.filter((state) => state === wanted).length;
  const part = (text: string, now: QueuedState, others: Record<string, QueuedState> = {}) => {
    const among = Object.entries(others).map(([where, state]) => ({ where, runs: count(state) }))
      .filter(({ runs }) => runs > 0);
    const all = count(now) + among.reduce((sum, { runs }) => sum + runs, 0);
    const details = among.map(({ where, runs }) => `${runs} ${where}`).join(", ");
    return all === 0 ? [] : [`${all} ${text}${details && ` (${details})`}`];
  };
  const parts = [
    ...part("completed", "completed", {
      earlier: "completed earlier",
      "by other processes": "completed elsewhere",
    }),
    ...part("failed", "failed", { earlier: "failed earlier" }),
    ...part("left out", "left out"),
    ...part("still executed by other processes", "locked"),
    ...part("taken over by other processes", "taken over"),
    ...part("interrupted", "interrupted"),
    ...part("not begun", "waiting"),
  ];
  return `${counted(states.length, "run")}: ${parts.join(", ")}; results are in ${results}`;
}
