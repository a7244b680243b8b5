import { checkTrained, openLongMem } from "../model_kind.ts";
import { languageModel } from "../shared/language_model.ts";
import { withoutSettings } from "./without_settings.ts";

/**
 * LongMem's weights, adapted with a memory, read without one. That is no SideNet without memory: its weights expect what they
 * no longer get, so that a gain over this model is an upper bound of what the memory adds; `sidenet-without-memory` is the fair
 * comparison.
 */
export const longMemMemoryOff = withoutSettings("longmem-memory-off", {
  needs: ["sidenet", "memory", "trained SideNet"],
  hasSideNet: true,
  label: "weights adapted with a memory, read without",
  open: (_config, trained, context) =>
    // With an empty memory the joint attention is the local one (specification section 7).
    openLongMem({ sideNet: checkTrained(trained.sideNets?.longmem, context.name) }, trained, {
      ...context,
      wrap: (model) => languageModel(context.name, model, "sidenet"),
    }),
});
