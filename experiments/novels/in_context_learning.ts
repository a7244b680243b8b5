/**
 * The paper's Table 4 in small: do demonstrations in memory teach a task? Asked of the models of language_modeling.ts, whose
 * training is shared. A backbone of 2.2 million parameters that has read novels alone is not expected to be above chance:
 * what this shows is how large the noise is, and that nothing in the protocol lets a model seem to know.
 */
import { defineExperiment } from "@longmem/lab";
import base, { trained } from "./language_modeling.ts";

export default defineExperiment({
  ...base,
  name: "novels_in_context_learning",
  question: "Do demonstrations in memory teach a small model to label sentences?",
  moved: { ...base.moved, "data/icl": "../shared/data/icl" },
  evaluations: [{
    kind: "in-context-learning",
    // 300 demonstrations are 6,000 to 16,000 tokens: the memory holds all of them.
    source: { kind: "sentences", folder: "data/icl", memoryDemonstrations: 300 },
    // Twice the tokens of a training segment, so that four demonstrations and a query find room.
    contextTokens: 512,
    shots: 4,
    maxItems: 100,
    batchSize: 8,
    models: trained,
  }],
});
