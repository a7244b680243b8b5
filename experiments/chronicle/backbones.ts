/**
 * Is the quickstart's answer one of its backbone? The same question for backbones that `../pretrain/chronicle.ts` has trained from
 * other seeds, each with the seed's own books; `seeds.ts` has one backbone for every seed. Block 2 is the induction block of each.
 */
import { defineExperiment } from "@longmem/lab";
import seeds from "./seeds.ts";

export default defineExperiment({
  ...seeds,
  name: "chronicle_backbones",
  question:
    "Does a frozen language model recall what it read up to 4,096 tokens ago, whatever the seed of its own training?",
  sweep: {
    zip: {
      seed: [2, 3],
      "backbone.path": ["data/chronicle/backbone_seed2", "data/chronicle/backbone_seed3"],
    },
  },
});
