/**
 * The paper's Figure 4 in small: one training with 16,384 tokens of memory, that of language_modeling.ts, read with less and
 * with more.
 */
import { defineExperiment } from "@longmem/lab";
import base from "./language_modeling.ts";

export default defineExperiment({
  ...base,
  name: "novels_memory_size",
  question: "How much memory do novels need?",
  evaluations: [{
    kind: "perplexity",
    split: "test",
    batchSize: 4,
    models: ["longmem-memory-off", "longmem"],
  }],
  sweep: { "evaluations.0.memory.capacityTokens": [1024, 4096, 16_384, 65_536] },
});
