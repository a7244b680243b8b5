import { initializeMemorizing } from "../../longmem/networks/memorizing_transformer.ts";
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
  adaptation: {
    name: "memorizing-transformer",
    hashName: "memorizing-transformer",
    start: ({ sideNet: { shape: { memoryBlock } }, ...parts }) => ({
      ...parts,
      other: initializeMemorizing({ memoryBlock }, parts.backbone),
    }),
    network: "memorizing-transformer",
    part: ({ memoryBlock }) => ({ memoryBlock }),
    operationsPerParameter: 4, // the blocks run forward with the frozen ones
    fields: ["sidenet", "adaptation", "memory"],
  },
});
