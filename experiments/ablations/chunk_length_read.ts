/**
 * Chunk length in reading alone, as the released evaluation has it: one training with chunks of 4, read with others.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "ablation_chunk_length_read",
  question: "May chunks be longer or shorter than in training?",
  evaluations: [{ kind: "recall", split: "test", batchSize: 8, models: ["longmem"] }],
  sweep: { "evaluations.0.memory.chunkTokens": [1, 2, 4, 8, 16] },
});
