/**
 * Retrieved tokens: one training with 64 for each token and head, read with fewer and with more.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "ablation_retrieved_tokens",
  question: "How many tokens should be retrieved?",
  evaluations: [{ kind: "recall", split: "test", batchSize: 8, models: ["longmem"] }],
  sweep: { "evaluations.0.memory.retrievedTokens": [4, 8, 16, 32, 64, 128] },
});
