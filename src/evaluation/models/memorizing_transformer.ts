import {
  initializeMemorizing,
  memorizingTensorShapes,
} from "../../longmem/networks/memorizing_transformer.ts";
import { checkTrained, memoryOf } from "../model_kind.ts";
import { inWindow } from "./in_window.ts";

/**
 * The paper's MemTRM, no SideNet but a memory within the language model: block `sidenet.memoryBlock` and all above are trained
 * like the SideNet, from copies of the backbone's, with the same memory, whose keys and values are the trained block's own.
 */
export const memorizingTransformer = inWindow("memorizing-transformer", {
  needs: ["sidenet", "memory", "adaptation"],
  readsMemory: true,
  fillsMemory: true,
  label: "a Memorizing Transformer",
  network: "memorizing-transformer",
  partsOf: ({ models }, context) => ({
    other: checkTrained(models["memorizing-transformer"]?.other, context.name),
    ...memoryOf(context),
  }),
  adaptation: {
    name: "memorizing-transformer",
    hashName: "memorizing-transformer",
    start({ backbone, sideNet: { shape: { memoryBlock } }, memory }) {
      return { backbone, other: initializeMemorizing({ memoryBlock }, backbone), memory: memory! };
    },
    tensors: memorizingTensorShapes,
    operationsPerParameter: 4, // the blocks run forward with the frozen ones
    fields: ["sidenet", "adaptation", "memory"],
  },
});
