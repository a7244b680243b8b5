import type { Experiment } from "../../src/experiment/declaration.ts";

const training = { batchSize: 2, contextTokens: 128, steps: 10, learningRate: 1e-3 };

/** A complete declaration, small; tests change the field they are about. */
export const smallExperiment = {
  name: "small",
  corpus: { folder: "corpus", train: "train", valid: "valid", test: ["test"] },
  tokenizer: { kind: "bpe", vocabSize: 512 },
  backbone: { kind: "pretrain", layers: 4, hiddenDim: 64, heads: 4, training },
  sidenet: { memoryBlock: 1 },
  memory: { capacityTokens: 1024 },
  adaptation: training,
  evaluations: [{ kind: "perplexity", split: "test", models: ["backbone", "longmem"] }],
} as const satisfies Experiment;
