/**
 * The paper's Figure 4 in small: one training with chunks of 4 tokens, that of language_modeling.ts, read with shorter and
 * with longer ones. The tokens retrieved stay as many.
 */
import { defineExperiment } from "@longmem/lab";
import base from "./language_modeling.ts";

export default defineExperiment({
  ...base,
  name: "novels_chunk_length",
  question: "How long should the chunks be in which novels are remembered?",
  evaluations: [{
    kind: "perplexity",
    split: "test",
    batchSize: 4,
    models: ["longmem-memory-off", "longmem"],
  }],
  sweep: { "evaluations.0.memory.chunkTokens": [1, 2, 4, 8, 16] },
});
