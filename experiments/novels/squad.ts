/**
 * The paper's Table 5 in small: do answered questions in memory teach how to answer others? Asked of the models of
 * language_modeling.ts, whose training is shared. A backbone of 2.2 million parameters that has read novels alone is not
 * expected to answer any: what this shows is the floor, and that nothing in the protocol lets a model seem to know.
 */
import { defineExperiment } from "@longmem/lab";
import base from "./language_modeling.ts";

export default defineExperiment({
  ...base,
  name: "novels_squad",
  question: "Do answered questions in memory teach a small model how to answer others?",
  moved: { ...base.moved, "data/squad": "../shared/data/squad" },
  evaluations: [{
    kind: "squad",
    folder: "data/squad",
    seeds: [1, 2, 3],
    // 40 questions with their paragraphs are some 12,000 tokens: the memory holds all of them.
    memoryDemonstrations: 40,
    shots: 1,
    // The longest paragraph has 809 tokens; training segments have 256.
    contextTokens: 1024,
    maxItems: 50,
    batchSize: 8,
    models: ["backbone", "longmem", "longmem-memory-off"],
  }],
});
