import { checkTrained, memoryOf } from "../model_kind.ts";
import { inWindow } from "./in_window.ts";

/**
 * The paper's MemTRM, no SideNet but a memory within the language model: block `sidenet.memoryBlock` and all above are trained
 * like the SideNet, from copies of the backbone's, with the same memory, whose keys and values are the trained block's own.
 */
export const memorizingTransformer = inWindow("memorizing-transformer", {
  needs: ["sidenet", "memory", "adaptation"],
  training: "memorizing-transformer",
  readsMemory: true,
  fillsMemory: true,
  label: "a Memorizing Transformer",
  network: "memorizing-transformer",
  partsOf: ({ memorizing }, context) => ({
    memorizing: checkTrained(memorizing, context.name),
    ...memoryOf(context),
  }),
});
