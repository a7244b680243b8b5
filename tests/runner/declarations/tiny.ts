/** Every part of a run, in a second: for tests of what survives a kill. */
import { defineExperiment } from "@longmem/lab";

const training = {
  batchSize: 2,
  contextTokens: 16,
  steps: 9,
  learningRate: 5e-3,
  checkpointEverySteps: 4,
  validateEverySteps: 3,
};

export default defineExperiment({
  name: "tiny",
  corpus: { folder: "corpus", train: "train", valid: "valid", test: "test" },
  tokenizer: { kind: "bpe", vocabSize: 300 },
  backbone: { kind: "pretrain", layers: 2, hiddenDim: 16, heads: 2, training },
  sidenet: { memoryBlock: 1 },
  memory: { capacityTokens: 128, retrievedTokens: 16 },
  adaptation: { ...training, accumulationSteps: 2, clipNorm: 1 },
  evaluations: [{
    kind: "perplexity",
    split: "test",
    batchSize: 2,
    models: [
      "backbone",
      "sidenet-without-memory",
      "longmem",
      "longmem-memory-off",
      "longmem-other-document",
      "untrained-with-memory",
    ],
  }],
  device: "cpu",
  threads: 1,
});
