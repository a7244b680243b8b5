/** Eight tiny runs, of which pairs share a training: for tests of a cluster. */
import { defineExperiment } from "@longmem/lab";

const training = {
  batchSize: 2,
  contextTokens: 16,
  steps: 24,
  learningRate: 5e-3,
  checkpointEverySteps: 8,
  validateEverySteps: 8,
};

export default defineExperiment({
  name: "cluster_sweep",
  corpus: { folder: "corpus", train: "train", valid: "valid", test: "test" },
  tokenizer: { kind: "bpe", vocabSize: 300 },
  backbone: { kind: "pretrain", layers: 2, hiddenDim: 16, heads: 2, training },
  sidenet: { memoryBlock: 1 },
  memory: { capacityTokens: 64, retrievedTokens: 16 },
  adaptation: training,
  evaluations: [{ kind: "perplexity", split: "test", models: ["backbone", "longmem"] }],
  device: "cpu",
  threads: 1,
  cluster: { time: "1", cpus: 1, tasks: 2 },
  sweep: { "memory.capacityTokens": [64, 128], seed: [1, 2, 3, 4] },
});
