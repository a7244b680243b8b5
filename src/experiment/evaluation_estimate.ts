/**
 * Cost of evaluations, from declarations and the sizes of files: approximate, since no text is tokenised here.
 */
import { type EvaluationConfig, kindOf } from "../evaluation/evaluations.ts";
import { type EvaluatedModel, modelKindOf, otherTextsOf } from "../evaluation/models.ts";
import type { CorpusConfig } from "../text/corpora/corpora.ts";

/** Operations of a forward pass for a token, without attention and retrieval. */
export interface ForwardOperations {
  /** Of the backbone with its head. */
  readonly backbone: number;
  /** Of the SideNet, for models that have one; absent where its size is not known. */
  readonly sidenet?: number;
}

export interface EvaluationEstimate extends EvaluationCost {
  readonly name: string;
  /** Share of each of its models. */
  readonly models: readonly (EvaluationCost & { readonly model: EvaluatedModel })[];
}

/** Cost of an evaluation, as far as it is known. */
export interface EvaluationCost {
  /** Tokens that pass through its models, padding included, all together; absent where only the texts themselves would say. */
  readonly tokens?: number;
  /** Floating-point operations of the matrices, without attention and retrieval. */
  readonly operations?: number;
}

export async function estimateEvaluation(
  evaluation: EvaluationConfig,
  corpus: CorpusConfig,
  forward: ForwardOperations | undefined,
): Promise<EvaluationEstimate> {
  const { name, models } = evaluation;
  const tokensOf = await kindOf(evaluation).cost?.(evaluation, corpus);
  const operationsOf = (model: EvaluatedModel): number | undefined =>
    !modelKindOf(model).hasSideNet
      ? forward?.backbone
      : forward?.sidenet && forward.backbone + forward.sidenet;
  const costs = models.map((model): EvaluationCost & { model: EvaluatedModel } => {
    if (tokensOf === undefined) return { model };
    const tokens = otherTextsOf(model) * tokensOf(model), perToken = operationsOf(model);
    return { model, tokens, ...(perToken !== undefined && { operations: tokens * perToken }) };
  });
  if (tokensOf === undefined) return { name, models: costs };
  const known = costs.every(({ operations }) => operations !== undefined);
  return {
    name,
    models: costs,
    tokens: Math.round(costs.reduce((sum, { tokens }) => sum + tokens!, 0)),
    ...(known && { operations: costs.reduce((sum, { operations }) => sum + operations!, 0) }),
  };
}
