/**
 * Figure 4: one training with chunks of 4 tokens, asked to learn from demonstrations in chunks of 2, 4 and 8. Of the figure
 * only a direction is known: shorter chunks are said to be better.
 */
import { defineExperiment } from "@longmem/lab";
import { contextTokens, released } from "./released.ts";

export default defineExperiment({
  ...released,
  name: "paper_figure_4_chunk_length",
  question: "How long should the chunks be from which a model learns in context?",
  protocol: "released-code",
  corpus: { kind: "none" },
  evaluations: [{
    kind: "in-context-learning",
    source: { kind: "sentences", folder: "data/icl" },
    shots: 20,
    contextTokens,
    batchSize: 8,
    models: ["backbone", "longmem"],
  }],
  sweep: { "evaluations.0.memory.chunkTokens": [2, 4, 8] },
});
