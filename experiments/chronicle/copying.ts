/**
 * Is recall of far facts more than a search for the last few words? What followed them last is told by a copy model, and by the
 * nearest earlier states; LongMem must be better where the answer did not follow the same words: openings, and persons who are told of again.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "chronicle_copying",
  question: "Does LongMem recall more far facts than a copy model or kNN-LM over the same tokens?",
  evaluations: [{
    kind: "recall",
    split: "test",
    batchSize: 8,
    maxDocuments: 8,
    models: ["backbone", "copy", "knn-lm", "longmem"],
  }],
});
