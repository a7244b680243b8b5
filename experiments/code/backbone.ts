/**
 * Does a small backbone form induction heads on source code, so that a memory has something to cache?
 *
 * Rotary positions let a head attend to the token before, which induction is made of; with ALiBi and four heads it comes three times
 * later. Windows are shuffled (a document is cut into windows), so that a batch is not four documents read in order.
 */
import { defineExperiment } from "@longmem/lab";

/** How the backbone is trained; others vary it. */
export const pretrained = {
  kind: "pretrain",
  architecture: "llama",
  size: "mini",
  feedForwardDim: 344, // three matrices of 128 x 344 instead of two of 128 x 512
  initialization: { kind: "scaled" },
  training: {
    batchSize: 8,
    contextTokens: 256,
    steps: 7000, // 14.3 M tokens
    learningRate: 3e-3,
    schedule: "cosine",
    warmupSteps: 100,
    finalLearningRate: 1e-4,
    clipNorm: 1,
    checkpointEverySteps: 500,
    validateEverySteps: 1000,
  },
} as const;

export default defineExperiment({
  name: "code_backbone",
  question: "Does a small backbone form induction heads on source code?",
  corpus: {
    folder: "data/npm_code",
    train: "train-backbone", // the SideNet is adapted on train-memory
    valid: "valid",
    test: "test",
    maxDocumentTokens: 256,
  },
  tokenizer: { kind: "bpe", vocabSize: 1024, maxTrainingBytes: 4_000_000 },
  backbone: pretrained,
  threads: 1,
  evaluations: [{ kind: "perplexity", split: "valid", batchSize: 6, models: ["backbone"] }],
});
