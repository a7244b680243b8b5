import { checkTrained, memoryOf, openLongMem } from "../model_kind.ts";
import { languageModel } from "../shared/language_model.ts";
import { withoutSettings } from "./without_settings.ts";

/**
 * The paper's MemTRM, no SideNet but a memory within the language model: block `sidenet.memoryBlock` and all above are trained
 * like the SideNet, from copies of the backbone's, with the same memory, whose keys and values are the trained block's own.
 */
export const memorizingTransformer = withoutSettings("memorizing-transformer", {
  needs: ["sidenet", "memory", "adaptation"],
  training: "memorizing-transformer",
  readsMemory: true,
  fillsMemory: true,
  label: "a Memorizing Transformer",
  open: (_config, trained, context) =>
    openLongMem(
      { memorizing: checkTrained(trained.memorizing, context.name), ...memoryOf(context) },
      trained,
      { ...context, wrap: (model) => languageModel(context.name, model, "memorizing-transformer") },
    ),
});
