/** A small run of every kind of training, and of every kind of evaluation that needs no file. */
import { defineExperiment } from "@longmem/lab";

const training = { batchSize: 1, contextTokens: 16, steps: 4, learningRate: 5e-3 };
const models = [
  "backbone",
  "sidenet-without-memory",
  "longmem",
  "longmem-memory-off",
  "longmem-recent-memory",
  "longmem-other-document",
  "untrained-with-memory",
  "memorizing-transformer",
  { model: "backbone-sliding-window" },
] as const;

export default defineExperiment({
  name: "golden",
  corpus: {
    kind: "chronicle",
    books: { train: 2, valid: 1, test: 2 },
    drills: 2,
    config: {
      contextTokens: 16,
      book: { chapters: 8, sentencesPerChapter: 8 },
      drill: { scenes: 2, sceneTokens: 60 },
      reviews: { goods: 4, demonstrations: 8 },
    },
  },
  tokenizer: { kind: "chronicle" },
  backbone: { kind: "pretrain", layers: 2, hiddenDim: 8, heads: 2, training },
  sidenet: { memoryBlock: 1 },
  memory: { capacityTokens: 64, chunkTokens: 4, retrievedTokens: 8 },
  adaptation: training,
  evaluations: [
    { kind: "perplexity", split: "test", batchSize: 2, models },
    { kind: "recall", split: "test", models },
    { kind: "chapter-break", prefixTokens: [32, 64], models: ["backbone", "longmem"], maxItems: 6 },
    {
      kind: "in-context-learning",
      source: { kind: "chronicle", tasks: 2 },
      maxItems: 3,
      models: ["backbone", "longmem"],
    },
    {
      kind: "needle",
      distances: [24, 48],
      needles: [1, 2],
      instances: 3,
      models: ["backbone", "longmem"],
    },
  ],
  device: "cpu",
  threads: 1,
});
