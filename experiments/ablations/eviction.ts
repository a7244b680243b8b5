/**
 * Eviction: the oldest chunks alone, or, as in the released code, the two oldest segments at once and before the memory is full. One
 * training, read with memories that books overflow: coarse eviction keeps up to two segments less of what they hold.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "ablation_eviction",
  question: "What does it cost to forget two segments at once?",
  evaluations: [{ kind: "recall", split: "test", batchSize: 8, models: ["longmem"] }],
  sweep: {
    "evaluations.0.memory.eviction": ["exact", "coarse"],
    "evaluations.0.memory.capacityTokens": [512, 1024, 2048, 4096],
  },
});
