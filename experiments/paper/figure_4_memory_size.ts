/**
 * Figure 4: one training with 65,536 tokens of memory, read with less. Of the figure only directions are known: for books of
 * 8k to 50k tokens, 16k is said to be better than 65k.
 */
import { defineExperiment } from "@longmem/lab";
import { contextTokens, released } from "./released.ts";

export default defineExperiment({
  ...released,
  name: "paper_figure_4_memory_size",
  question: "How much memory do books of which length need?",
  corpus: {
    folder: "data/novels",
    train: "train",
    valid: "valid",
    test: "test",
    unwrap: true,
  },
  // They were declared with these, and keep the names of their runs.
  moved: { "data/novels": "../shared/data/novels" },
  evaluations: [{
    kind: "perplexity",
    split: "test",
    contextTokens,
    models: ["backbone", "longmem"],
  }],
  sweep: { "evaluations.0.memory.capacityTokens": [8192, 16_384, 32_768, 65_536] },
});
