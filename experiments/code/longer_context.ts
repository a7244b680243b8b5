/**
 * Is a memory worth more than a longer context? The backbone itself is trained further, all of its weights, on the packages and the
 * number of tokens that the SideNet of `longer.ts` is adapted on: with its own context of 256 tokens, and with one of 1,024.
 *
 * The same test as there, so that LongMem's gain over each of these windows is one over packages in pairs.
 */
import { defineExperiment } from "@longmem/lab";
import { pretrained } from "./backbone.ts";
import base, { overWindow, windows } from "./language_modeling.ts";

export default defineExperiment({
  name: "code_longer_context",
  question:
    "Does a backbone that is trained further with a context of 1,024 tokens do what a memory does?",
  corpus: { folder: "data/npm_code", train: "train-memory", valid: "valid", test: "test" },
  tokenizer: base.tokenizer,
  backbone: {
    ...pretrained,
    initialization: { kind: "checkpoint", path: "data/code/backbone" },
    // 3.3 M tokens
    training: { ...pretrained.training, steps: 1600, learningRate: 1.5e-3 },
  },
  threads: 1,
  evaluations: [{
    kind: "perplexity",
    ...overWindow,
    models: windows(256, 512, 1024),
  }],
  sweep: {
    zip: {
      "backbone.training.contextTokens": [256, 1024],
      "backbone.training.batchSize": [8, 2],
      "corpus.maxDocumentTokens": [256, 1024],
    },
  },
});
