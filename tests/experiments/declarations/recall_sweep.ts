/** Eight runs on short books, four trainings: for the test that a sweep comes to a table and figures. */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../../../experiments/quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "recall_sweep",
  question: "Does a larger memory recall more, whatever the chunks and the seed?",
  corpus: {
    kind: "chronicle",
    books: { train: 2, valid: 1, test: 6 },
    config: { book: { chapters: 6, sentencesPerChapter: 20 } },
  },
  memory: { ...quickstart.memory, capacityTokens: 1024 },
  adaptation: { ...quickstart.adaptation!, batchSize: 2, steps: 4, warmupSteps: 1 },
  evaluations: [{
    kind: "recall",
    split: "test",
    batchSize: 6,
    models: ["longmem-memory-off", "longmem"],
  }],
  device: "cpu",
  threads: 1,
  sweep: {
    "memory.chunkTokens": [2, 4],
    "evaluations.0.memory.capacityTokens": [128, 1024],
    seed: [1, 2],
  },
});
