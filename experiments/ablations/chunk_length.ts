/**
 * Chunk length: each is trained and read with its own; the tokens retrieved stay as many.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "ablation_chunk_length",
  question: "How long should a chunk be?",
  evaluations: [{ kind: "recall", split: "test", batchSize: 8, models: ["longmem"] }],
  sweep: { "memory.chunkTokens": [1, 2, 4, 8, 16] },
});
