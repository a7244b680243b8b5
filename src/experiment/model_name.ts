import type { MeasuredEvaluation } from "../results/reproduction.ts";
import type { EvaluatedModel, EvaluationConfig } from "./declaration.ts";

/** The name of a model in results: its kind, and the settings that tell it from others of the kind. */
export function modelName(model: EvaluatedModel): string {
  if (typeof model === "string") return model;
  switch (model.model) {
    case "backbone-sliding-window":
    case "backbone-full-context":
      return `${model.model}-${model.windowTokens}`;
    case "infllm": {
      const { capacityTokens: m, chunkTokens: c, retrievedTokens: k, distanceTokens: d } = model;
      return `${model.model}-m${m}-c${c}-k${k}-d${d}`;
    }
    default:
      return model satisfies never;
  }
}

/** Name under which in-context learning records the baseline without a model: it always tells the label that is commonest. */
export const commonestLabel = "commonest-label";

/** The models whose metrics an evaluation records, by their names in results. */
export function measuredModels({ kind, models }: EvaluationConfig): string[] {
  return [...models.map(modelName), ...(kind === "in-context-learning" ? [commonestLabel] : [])];
}

/** The names of evaluations and of the models that they measure. */
export function measured(evaluations: readonly EvaluationConfig[]): MeasuredEvaluation[] {
  return evaluations.map((evaluation) => ({
    name: evaluation.name,
    models: measuredModels(evaluation),
  }));
}
