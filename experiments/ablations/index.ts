/**
 * Index: all chunks compared, or an HNSW graph searched with fewer and with more candidates; with few links it misses more. One training,
 * with exact retrieval, read with each. A memory of 1,024 chunks does not need an approximate index; what one costs shows already.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "ablation_index",
  question: "What is lost where the nearest chunks are found only approximately?",
  evaluations: [{ kind: "recall", split: "test", batchSize: 8, models: ["longmem"] }],
  sweep: {
    "evaluations.0.memory.index": [
      { kind: "exact" },
      { kind: "hnsw", m: 4, efConstruction: 16, efSearch: 16 },
      { kind: "hnsw", m: 8, efConstruction: 32, efSearch: 32 },
      { kind: "hnsw" },
    ],
  },
});
