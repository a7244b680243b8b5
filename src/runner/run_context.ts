/**
 * The surroundings of a run: where its results go, its progress, its signal.
 */
import type { EvaluationProgress } from "../evaluation/evaluate.ts";
import type { ResolvedRun } from "../experiment/resolve.ts";
import type { RunFolder } from "../results/run_folder.ts";

/** Progress of a training, reported after each step. */
export interface TrainingProgress {
  /** The trained part: `backbone`, `longmem`, ... */
  readonly phase: string;
  /** Updates done. */
  readonly step: number;
  /** Updates there will be. */
  readonly steps: number;
  /** Loss of the last batch, in nats a token. */
  readonly loss: number;
  /** Tokens trained on per second, lately. */
  readonly tokensPerSecond: number;
  /** Tokens the memory holds, of those it has room for. */
  readonly memory?: { readonly tokens: number; readonly capacityTokens: number };
}

/** Where a run reports how far it is. */
export interface RunProgress {
  step(training: TrainingProgress): void;
  item(evaluation: EvaluationProgress): void;
  /** Shows the run's present activity until the next report. */
  doing(text: string): void;
  /** Shows a line that stays. */
  note(text: string): void;
}

/** Context of a run's execution. */
export interface RunContext {
  readonly results: RunFolder;
  /** Where it says how far it is. */
  readonly progress: RunProgress;
  /** Aborted when the user wants it to stop: the training saves a checkpoint, then throws the signal's reason. */
  readonly signal: AbortSignal;
}

/** Executes a run; `executeRun` and the fakes of tests are such functions. */
export type RunExecutor = (run: ResolvedRun, context: RunContext) => Promise<void>;
