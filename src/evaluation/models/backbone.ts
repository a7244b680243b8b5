import { openLongMem } from "../model_kind.ts";
import { languageModel } from "../shared/language_model.ts";
import { withoutSettings } from "./without_settings.ts";

/** The frozen language model alone. */
export const backbone = withoutSettings("backbone", {
  needs: [],
  efficiency: { hasMemory: false },
  label: "the backbone alone",
  open: (_config, trained, context) =>
    openLongMem({}, trained, {
      ...context,
      wrap: (model) => languageModel(context.name, model, "backbone"),
    }),
});
