import type { EvaluatedModel } from "./declaration.ts";

/** The name of a model in results: its kind, and the settings that tell it from others of the kind. */
export function modelName(model: EvaluatedModel): string {
  if (typeof model === "string") return model;
  switch (model.model) {
    case "backbone-sliding-window":
    case "backbone-full-context":
      return `${model.model}-${model.windowTokens}`;
    default:
      return model.model satisfies never;
  }
}
