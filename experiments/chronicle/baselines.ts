/**
 * What else recalls far facts? LongMem beside longer windows, a memory without training, a memory within the language model, and
 * its own memory cut to the segment before.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "chronicle_baselines",
  question: "What else recalls far facts, and is LongMem better?",
  evaluations: [{
    kind: "recall",
    split: "test",
    batchSize: 8,
    maxDocuments: 8,
    models: [
      "backbone",
      { model: "backbone-sliding-window", windowTokens: 256 },
      { model: "backbone-sliding-window", windowTokens: 512 },
      { model: "backbone-full-context", windowTokens: 1024 },
      { model: "infllm", chunkTokens: 4 },
      "memorizing-transformer",
      "untrained-with-memory",
      "longmem-recent-memory",
      "longmem",
    ],
  }],
});
