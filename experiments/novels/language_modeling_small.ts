/** The same question on a few short books, in minutes on two cores: too little training for an answer, but every part runs. */
import { defineExperiment } from "@longmem/lab";
import base from "./language_modeling.ts";

const { corpus, backbone, adaptation } = base;
if (!("folder" in corpus) || backbone.kind !== "pretrain" || !adaptation) {
  throw new TypeError("The base experiment trains on files");
}

export default defineExperiment({
  ...base,
  name: "novels_language_modeling_small",
  corpus: {
    ...corpus,
    train: [
      "train/ABronte_Agnes*",
      "train/Bennet_Helen*",
      "train/Ford_Girl*",
      "train/Forster_Angels*",
      "train/Barclay_Postern*",
    ],
    valid: "valid",
    test: "test/Chesterton*",
    maxDocuments: { valid: 2, test: 4 },
  },
  tokenizer: { kind: "bpe", vocabSize: 1024 },
  backbone: {
    ...backbone,
    size: "tiny",
    training: {
      ...backbone.training,
      steps: 120,
      contextTokens: 128,
      warmupSteps: 20,
      validateEverySteps: 60,
      checkpointEverySteps: 40,
    },
  },
  sidenet: { size: "tiny" },
  memory: { ...base.memory, capacityTokens: 4096 },
  adaptation: {
    ...adaptation,
    steps: 60,
    contextTokens: 128,
    warmupSteps: 10,
    validateEverySteps: 30,
    checkpointEverySteps: 20,
  },
});
