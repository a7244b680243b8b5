/**
 * Memory size: one training with 4,096 tokens of memory, read with less and with more; memory off is none.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "ablation_memory_size",
  question: "How much memory does recall need?",
  evaluations: [{
    kind: "recall",
    split: "test",
    batchSize: 8,
    models: ["longmem-memory-off", "longmem"],
  }],
  sweep: { "evaluations.0.memory.capacityTokens": [128, 256, 512, 1024, 2048, 4096, 8192] },
});
