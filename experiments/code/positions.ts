/**
 * Where should retrieved tokens stand for the queries of a backbone with rotary positions: nowhere (not rotated, as ALiBi's are in
 * the released code), or all at one distance, a near one or a far one?
 *
 * 200 steps from the start that `start.ts` found best. Heads were trained at distances below 256.
 */
import { defineExperiment } from "@longmem/lab";
import base from "./language_modeling.ts";

export default defineExperiment({
  ...base,
  name: "code_positions",
  question: "At which distance should retrieved tokens stand for rotary queries?",
  sidenet: { memoryBlock: 3, initialization: { kind: "blocks", blocks: [1, 3] } },
  adaptation: { ...base.adaptation!, steps: 200, checkpointEverySteps: 200 },
  evaluations: [{
    kind: "perplexity",
    split: "test",
    batchSize: 4,
    firstTokens: 2048,
    models: ["backbone", "longmem", "longmem-recent-memory"],
  }],
  sweep: {
    "memory.positions": [
      { kind: "none" },
      { kind: "distance", tokens: 1 },
      { kind: "distance", tokens: 16 },
      { kind: "distance", tokens: 64 },
      { kind: "distance", tokens: 256 },
    ],
  },
});
