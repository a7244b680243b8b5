/**
 * Is it the size or luck that decides whether an induction head forms? Backbones of half and of twice the size with two more seeds each,
 * for 2,500 steps: that of `backbone.ts` had its head after 2,000.
 */
import { defineExperiment } from "@longmem/lab";
import code, { pretrained } from "./backbone.ts";

export default defineExperiment({
  ...code,
  name: "code_head_seeds",
  question: "Does an induction head form within 5.1 million tokens, by size and seed?",
  backbone: { ...pretrained, training: { ...pretrained.training, steps: 2500 } },
  sweep: {
    seed: [2, 3],
    zip: {
      "backbone.hiddenDim": [96, 192],
      "backbone.heads": [3, 6],
      "backbone.feedForwardDim": [256, 512],
    },
  },
});
