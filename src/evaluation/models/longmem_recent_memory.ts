import { recentMemory } from "../../memory/config.ts";
import { checkTrained, openLongMem } from "../model_kind.ts";
import { languageModel } from "../shared/language_model.ts";
import { withoutSettings } from "./without_settings.ts";

/**
 * LongMem's weights, but the memory is the smallest allowed and holds only what was read last: the segment before, or
 * `memory.retrievedTokens` tokens where those are more (the last one or two segments where `memory.eviction` is `coarse`).
 * What `longmem` does better it does by retrieving older text.
 */
export const longMemRecentMemory = withoutSettings("longmem-recent-memory", {
  needs: ["sidenet", "memory", "trained SideNet"],
  hasSideNet: true,
  readsMemory: true,
  label: "a memory of the latest text only",
  open: (_config, trained, context) => {
    const { memory, contextTokens } = context;
    return openLongMem(
      {
        sideNet: checkTrained(trained.sideNets?.longmem, context.name),
        ...(memory ? { memory: recentMemory(memory, contextTokens) } : {}),
      },
      trained,
      {
        ...context,
        wrap: (model) => languageModel(context.name, model, "longmem"),
      },
    );
  },
});
