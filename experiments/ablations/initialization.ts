/**
 * SideNet initialisation beside a memory of block 2: blocks 0 and 2, the paper's rule (blocks 1 and 3), random weights.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "ablation_initialization",
  question: "Which weights should the SideNet start from?",
  evaluations: [{
    kind: "recall",
    split: "test",
    batchSize: 8,
    models: ["untrained-with-memory", "longmem"],
  }],
  sweep: {
    "sidenet.initialization": [
      { kind: "blocks", blocks: [0, 2] },
      { kind: "paper" },
      { kind: "random" },
    ],
  },
});
