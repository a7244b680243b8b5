import { z } from "zod";
import { type ModelKind, openLongMem } from "../model_kind.ts";
import { languageModel } from "../shared/language_model.ts";

/** The frozen language model alone. */
export const backbone: ModelKind<{ readonly model: "backbone" }, "backbone"> = {
  schema: z.strictObject({ model: z.literal("backbone") }),
  fill: ({ model }) => model,
  nameOf: (name) => name,
  needs: [],
  efficiency: { hasMemory: false },
  label: "the backbone alone",
  open: (_config, trained, context) =>
    openLongMem({}, trained, {
      ...context,
      wrap: (model) => languageModel(context.name, model, "backbone"),
    }),
};
