/**
 * Is it luck that no induction head forms in the smaller backbone? That of `smaller_backbone.ts` with three more seeds, for 2,500 steps:
 * that of `backbone.ts` had its head after 2,000.
 */
import { defineExperiment } from "@longmem/lab";
import code, { pretrained } from "./backbone.ts";

export default defineExperiment({
  ...code,
  name: "code_head_seeds",
  question: "Does an induction head form within 5.1 million tokens, by size and seed?",
  backbone: { ...pretrained, training: { ...pretrained.training, steps: 2500 } },
  sweep: {
    seed: [2, 3, 4],
    "backbone.hiddenDim": [96],
    "backbone.heads": [3],
    "backbone.feedForwardDim": [256],
  },
});
