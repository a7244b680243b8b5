/**
 * Does a backbone keep its induction head when it is trained further on other text?
 *
 * The backbone of `../code/` has one after 14 million tokens of source code; from scratch on these novels, with a fifth of code among
 * them, none formed in 4 million. So it is trained further, with its own tokenizer, on the same mixture.
 */
import { defineExperiment } from "@longmem/lab";
import { backboneNovels, validNovels } from "./authors.ts";

const inData = (patterns: readonly string[]) => patterns.map((pattern) => `novels/${pattern}`);

export default defineExperiment({
  name: "fiction_backbone",
  question:
    "Does a backbone for source code that is trained further on novels keep its induction head?",
  corpus: {
    folder: "data",
    train: [...inData(backboneNovels), "npm_code/train-backbone"],
    valid: inData(validNovels),
    test: inData(["train-extra/Ford_*"]),
    unwrap: true,
    maxDocumentTokens: 256,
  },
  tokenizer: { kind: "file", path: "data/code/backbone/tokenizer.json" },
  backbone: {
    kind: "pretrain",
    architecture: "llama",
    size: "mini",
    feedForwardDim: 344,
    initialization: { kind: "checkpoint", path: "data/code/backbone" },
    training: {
      batchSize: 8,
      contextTokens: 256,
      steps: 2500, // 5.1 M tokens
      learningRate: 1.5e-3,
      schedule: "cosine",
      warmupSteps: 100,
      finalLearningRate: 1e-4,
      clipNorm: 1,
      checkpointEverySteps: 500,
      validateEverySteps: 1000,
    },
  },
  threads: 1,
  evaluations: [{ kind: "perplexity", split: "valid", batchSize: 6, models: ["backbone"] }],
});
