/**
 * A source of tasks of in-context learning: its declaration, and how its episodes are written.
 */
import type { z } from "zod";
import type { NamedPath } from "../../declaration/part.ts";
import type { Problem } from "../../declaration/problem.ts";
import type { Protocol } from "../../declaration/protocol.ts";
import type { MemoryDeclaration } from "../../memory/config.ts";
import type { corpora, CorpusConfig } from "../../text/corpora/corpora.ts";
import type { EvaluationInputs, ModelEvaluation, TokensOf } from "../evaluation_kind.ts";
import type { LabelledEpisode } from "../shared/few_shot.ts";

/** How an answer is read from a model. */
export type LabelScoring = "open-vocabulary" | "label-likelihood";

/** Baseline with which the likelihoods of labels are compared. */
export type LabelCalibration = "none" | "content-free";

/** How tasks are asked, whatever their source. */
export interface TaskProtocol extends ModelEvaluation {
  /** Demonstrations before each query (default 20 sentences, 0 reviews). */
  readonly shots: number;
  /**
   * `open-vocabulary` takes the most likely token of the whole vocabulary, and a label that begins with it as told (default
   * of the released code, and of reviews); `label-likelihood` takes the likeliest label.
   */
  readonly scoring: LabelScoring;
  /** Divisor of label likelihoods: none, or the likelihoods after a content-free prompt (default `none`). */
  readonly calibration: LabelCalibration;
  /** A control: whether demonstrations in memory have their own labels (`true`, default), or one another's (`shuffled`). */
  readonly memoryLabels: "true" | "shuffled";
  /** Asks so many examples of each task at most, evenly spaced (default: all sentences, 16 reviews). */
  readonly maxItems?: number;
}

/** The episodes of an evaluation. */
export interface WrittenTasks {
  readonly episodes: readonly LabelledEpisode[];
  /** Items of each task, where not all are asked. */
  readonly totals: Readonly<Record<string, number>>;
}

export interface DemonstrationSourceKind<Declaration, Config> {
  /** Form of the object that declares it. */
  readonly schema: z.ZodType<Declaration>;
  /** Difference between draws of a task: the seed, or the task itself, each of which is drawn once. */
  readonly draw: "seed" | "task";
  /** Whether episodes have a prompt without content, with which labels are calibrated. */
  readonly hasContentFreePrompt?: true;
  /** Whether its words are those of such a corpus. */
  fits(corpus: ReturnType<typeof corpora.get>): boolean;
  fill(declaration: Declaration, protocol: Protocol): Config;
  /** Defaults of how its tasks are asked, and of the evaluation's memory. */
  defaults(
    protocol: Protocol,
  ):
    & Pick<TaskProtocol, "shots" | "scoring">
    & { readonly maxItems?: number; readonly memory?: MemoryDeclaration };
  /** Tasks, each with demonstrations of its own. */
  taskCount(config: Config): number;
  /** Values that do not fit each other or the corpus; `path` is where the evaluation stands. */
  check(config: Config, path: string, asked: TaskProtocol, corpus: CorpusConfig): Problem[];
  /** Its tasks, in words. */
  describe(config: Config): string;
  /** Files and folders that it reads. */
  files?(config: Config): Promise<NamedPath[]>;
  /** Tokens that pass through each model, about; undefined where only the texts themselves would say. */
  cost?(config: Config, asked: TaskProtocol): Promise<TokensOf | undefined>;
  write(config: Config, asked: TaskProtocol, inputs: EvaluationInputs): Promise<WrittenTasks>;
}
