/**
 * Memory block R: the SideNet layer that reads it starts from the same block, so that its queries live in the space of the keys.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "ablation_memory_block",
  question: "Which block of the backbone should be cached?",
  evaluations: [{
    kind: "recall",
    split: "test",
    batchSize: 8,
    models: ["untrained-with-memory", "longmem"],
  }],
  sweep: {
    zip: {
      "sidenet.memoryBlock": [0, 1, 2, 3],
      "sidenet.initialization": [
        { kind: "blocks", blocks: [0, 2] },
        { kind: "blocks", blocks: [1, 3] },
        { kind: "blocks", blocks: [0, 2] },
        { kind: "blocks", blocks: [1, 3] },
      ],
    },
  },
});
