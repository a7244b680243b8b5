import { checkTrained, memoryOf, openLongMem } from "../model_kind.ts";
import { languageModel } from "../shared/language_model.ts";
import { withoutSettings } from "./without_settings.ts";

/** The SideNet as initialised, with memory. */
export const untrainedWithMemory = withoutSettings("untrained-with-memory", {
  needs: ["sidenet", "initialized SideNet", "memory"],
  hasSideNet: true,
  readsMemory: true,
  fillsMemory: true,
  efficiency: { hasMemory: true, sideNet: "untrained" },
  label: "LongMem before its training",
  open: (_config, trained, context) =>
    openLongMem(
      { sideNet: checkTrained(trained.sideNets?.untrained, context.name), ...memoryOf(context) },
      trained,
      { ...context, wrap: (model) => languageModel(context.name, model, "longmem") },
    ),
});
