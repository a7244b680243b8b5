/**
 * The kinds of evaluation: a file each, and a line here.
 */
import { Registry } from "../declaration/registry.ts";
import type { Metric, SampleRecord } from "../results/records.ts";
import type { Assert } from "../declaration/part.ts";
import { babilong, type BabilongDeclaration, type BabilongEvaluation } from "./babilong.ts";
import { benchmark, type BenchmarkDeclaration, type BenchmarkEvaluation } from "./benchmark.ts";
import {
  chapterBreak,
  type ChapterBreakDeclaration,
  type ChapterBreakEvaluation,
} from "./chapter_break.ts";
import { efficiency, type EfficiencyDeclaration, type EfficiencyEvaluation } from "./efficiency.ts";
import type { MeasuredEvaluation } from "../results/reproduction.ts";
import { schemaProblem } from "../results/record_schemas.ts";
import type { EvaluationKind, ModelEvaluation } from "./evaluation_kind.ts";
import {
  inContextLearning,
  type InContextLearningDeclaration,
  type InContextLearningEvaluation,
} from "./in_context_learning.ts";
import { modelKindOf, modelName } from "./models.ts";
import { needle, type NeedleDeclaration, type NeedleEvaluation } from "./needle.ts";
import { perplexity, type PerplexityDeclaration, type PerplexityEvaluation } from "./perplexity.ts";
import { questions, type QuestionsDeclaration, type QuestionsEvaluation } from "./questions.ts";
import { recall, type RecallDeclaration, type RecallEvaluation } from "./recall.ts";
import { ruler, type RulerDeclaration, type RulerEvaluation } from "./ruler.ts";
import { retrieval, type RetrievalDeclaration, type RetrievalEvaluation } from "./retrieval.ts";
import { squad, type SquadDeclaration, type SquadEvaluation } from "./squad.ts";
import { tokenLoss, type TokenLossDeclaration, type TokenLossEvaluation } from "./token_loss.ts";

const kinds = {
  "perplexity": perplexity,
  "recall": recall,
  "chapter-break": chapterBreak,
  "efficiency": efficiency,
  "needle": needle,
  "in-context-learning": inContextLearning,
  "squad": squad,
  "token-loss": tokenLoss,
  "questions": questions,
  "retrieval": retrieval,
  "ruler": ruler,
  "babilong": babilong,
  "benchmark": benchmark,
};
type Kinds = typeof kinds;

/** An evaluation, all fields filled in. */
export type EvaluationConfig =
  | PerplexityEvaluation
  | RecallEvaluation
  | ChapterBreakEvaluation
  | EfficiencyEvaluation
  | NeedleEvaluation
  | InContextLearningEvaluation
  | SquadEvaluation
  | TokenLossEvaluation
  | QuestionsEvaluation
  | RetrievalEvaluation
  | RulerEvaluation
  | BabilongEvaluation
  | BenchmarkEvaluation;

/** An evaluation as declared; `memory` overrides fields of the experiment's memory. */
export type EvaluationDeclaration =
  | PerplexityDeclaration
  | RecallDeclaration
  | ChapterBreakDeclaration
  | EfficiencyDeclaration
  | NeedleDeclaration
  | InContextLearningDeclaration
  | SquadDeclaration
  | TokenLossDeclaration
  | QuestionsDeclaration
  | RetrievalDeclaration
  | RulerDeclaration
  | BabilongDeclaration
  | BenchmarkDeclaration;

/** The unions are those of the registered kinds. */
type _Configs = Assert<
  ReturnType<Kinds[keyof Kinds]["fill"]> extends EvaluationConfig ? true : false
>;
type _Declarations = Assert<
  Parameters<Kinds[keyof Kinds]["fill"]>[0] extends EvaluationDeclaration ? true : false
>;

/** A kind of evaluation with any fields. */
type AnyKind = EvaluationKind<EvaluationDeclaration, EvaluationConfig, unknown>;

/** The kinds of evaluation, by name. */
export const evaluations: Registry<AnyKind, EvaluationDeclaration> = new Registry(
  kinds as unknown as Readonly<Record<string, AnyKind>>,
);

export function kindOf({ kind }: { readonly kind: string }): AnyKind {
  return evaluations.get(kind);
}

/** The names of evaluations and of the models whose metrics they record. */
export function listMeasured(configs: readonly EvaluationConfig[]): MeasuredEvaluation[] {
  return configs.map((config) => ({
    name: config.name,
    models: [...config.models.map(modelName), ...kindOf(config).withoutModel ?? []],
  }));
}

/** Whether an evaluation starts processes of its own. */
export function startsProcesses(config: { readonly kind?: unknown }): boolean {
  return evaluations.find(String(config.kind))?.startsProcesses === true;
}

/** The evaluations of which some metrics were measured by an older version, of them or of a model, so that they would be other numbers now. */
export function outdatedEvaluations<
  Config extends Pick<ModelEvaluation, "name" | "models"> & { readonly kind: string },
>(
  configs: readonly Config[],
  metrics: readonly Metric[],
): Config[] {
  return configs.filter((config) => {
    const { version } = kindOf(config);
    const ofModels = new Map(
      config.models.map((model) => [modelName(model), modelKindOf(model).version?.(model)]),
    );
    return metrics.some(({ evaluation, model, measure, metricVersion, modelVersion = 1 }) =>
      evaluation === config.name &&
      (metricVersion < version(measure) || modelVersion < (ofModels.get(model) ?? 1))
    );
  });
}

/**
 * Describes the first problem in the records of an evaluation's items, with the item and the field; undefined where there is none,
 * or the kind is unknown.
 */
export function itemProblem(
  samples: readonly SampleRecord[],
  kind: string | undefined,
): string | undefined {
  const found = kind === undefined ? undefined : evaluations.find(kind);
  if (found === undefined) return undefined;
  for (const sample of samples) {
    const problem = schemaProblem(found.record, sample);
    if (problem !== undefined) return `item "${sample.item}" is wrong: ${problem}`;
  }
  return undefined;
}
