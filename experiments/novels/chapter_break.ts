/**
 * The paper's Table 3 in small: which of six texts begins the next chapter of a novel? Asked of the models of
 * language_modeling.ts, whose training is shared, about breaks in the test novels.
 */
import { defineExperiment } from "@longmem/lab";
import base, { trained } from "./language_modeling.ts";

export default defineExperiment({
  ...base,
  name: "novels_chapter_break",
  question:
    "Does a model that remembers 8k tokens of a novel know better how its next chapter begins?",
  evaluations: [{
    kind: "chapter-break",
    prefixTokens: [256, 1024, 8192],
    maxItems: 120,
    batchSize: 6,
    models: trained,
  }],
});
