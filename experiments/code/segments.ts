/**
 * The same LongMem in the paper's protocol, segments that do not overlap: what it gains there is mostly that a segment's first
 * tokens have no other context. A copy model and kNN-LM over the same tokens show what memory could bring.
 */
import { defineExperiment } from "@longmem/lab";
import base from "./language_modeling.ts";

export default defineExperiment({
  ...base,
  name: "code_segments",
  question:
    "What does a memory gain on code in segments that do not overlap, beside copying and kNN-LM?",
  evaluations: [{
    kind: "perplexity",
    split: "test",
    batchSize: 4,
    firstTokens: 6144,
    models: ["backbone", "longmem", "longmem-recent-memory", "copy", "knn-lm"],
  }],
});
