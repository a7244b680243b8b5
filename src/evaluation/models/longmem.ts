import { checkTrained, memoryOf, openLongMem } from "../model_kind.ts";
import { languageModel } from "../shared/language_model.ts";
import { withoutSettings } from "./without_settings.ts";

/** Backbone, SideNet and memory, as adapted. */
export const longMem = withoutSettings("longmem", {
  needs: ["sidenet", "memory", "trained SideNet"],
  isMain: true,
  hasSideNet: true,
  readsMemory: true,
  fillsMemory: true,
  efficiency: { hasMemory: true, sideNet: "longmem" },
  label: "LongMem",
  open: (_config, trained, context) =>
    openLongMem(
      { sideNet: checkTrained(trained.sideNets?.longmem, context.name), ...memoryOf(context) },
      trained,
      { ...context, wrap: (model) => languageModel(context.name, model, "longmem") },
    ),
});
