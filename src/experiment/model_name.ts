import type { EvaluatedModel } from "./declaration.ts";

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
