/**
 * Does a backbone keep its induction head when it is trained further on other text?
 *
 * The backbone of `../code/` has one after 14 million tokens of source code; from scratch on these novels, with a fifth of code among
 * them, none formed in 4 million. So it is trained further, with its own tokenizer, on the same mixture.
 */
import { defineExperiment } from "@longmem/lab";
import code, { pretrained } from "../code/backbone.ts";
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
    ...pretrained,
    initialization: { kind: "checkpoint", path: "data/code/backbone" },
    training: { ...pretrained.training, steps: 2500, learningRate: 1.5e-3 }, // 5.1 M tokens
  },
  threads: 1,
  evaluations: code.evaluations,
});
