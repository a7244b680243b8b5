/**
 * Does a memory of 16,384 tokens lower the perplexity of whole novels, and is it the memory that does it?
 *
 * The paper's Table 2 scaled down to what one processor core trains in some hours: a backbone of 2.2 million parameters, from scratch on
 * the train split, then a SideNet on it. The valid split chooses the weights; the test split is read once.
 */
import { defineExperiment } from "@longmem/lab";

/** The models of this folder's experiments: what is trained here, and what shows that it is the memory that helps. */
export const trained = [
  "backbone",
  "sidenet-without-memory",
  "longmem",
  "longmem-memory-off",
  "longmem-other-document",
] as const;

export default defineExperiment({
  name: "novels_language_modeling",
  question:
    "Does a memory lower the perplexity of whole novels, and is it the memory that does it?",
  corpus: {
    folder: "data/novels",
    train: "train",
    valid: "valid",
    // The two longest novels (half of the split's text) are left out: reading them six times takes longer than the training.
    test: [
      "test/Austen*",
      "test/Chesterton*",
      "test/Hardy*",
      "test/Lee*",
      "test/Sterne*",
      "test/Stevenson*",
    ],
    unwrap: true,
  },
  // Recorded runs read it there, and keep their names.
  moved: { "data/novels": "../shared/data/novels" },
  tokenizer: { kind: "bpe", vocabSize: 4096 },
  backbone: {
    kind: "pretrain",
    size: "small",
    training: {
      batchSize: 4,
      contextTokens: 256,
      steps: 6000, // 6.1 M tokens: half an epoch
      learningRate: 2e-3,
      schedule: "cosine",
      warmupSteps: 200,
      finalLearningRate: 1e-4,
      clipNorm: 1,
      validateEverySteps: 1000,
      checkpointEverySteps: 500,
    },
  },
  // Block 3 of 0..5 is the paper's 17 of 0..23 in proportion, and odd, so that layer 1 starts as a copy of it.
  sidenet: { size: "small" },
  memory: { capacityTokens: 16_384, chunkTokens: 4, retrievedTokens: 64 },
  adaptation: {
    batchSize: 4,
    contextTokens: 256,
    steps: 1000,
    learningRate: 1e-3,
    warmupSteps: 50,
    clipNorm: 1,
    dropout: 0,
    validateEverySteps: 250,
    checkpointEverySteps: 250,
  },
  evaluations: [{
    kind: "perplexity",
    split: "test",
    batchSize: 4,
    models: [...trained, "untrained-with-memory"],
  }],
});
