/**
 * Is the quickstart's answer one of its backbone? The same question for backbones that were trained from other seeds, as
 * `../pretrain/chronicle.ts` trains them; `seeds.ts` has one backbone for every seed. The induction block is block 2 of each.
 */
import { defineExperiment } from "@longmem/lab";
import pretrained from "../pretrain/chronicle.ts";
import seeds from "./seeds.ts";

export default defineExperiment({
  ...seeds,
  name: "chronicle_backbones",
  question:
    "Does a frozen language model recall what it read up to 4,096 tokens ago, whatever the seed of its own training?",
  backbone: pretrained.backbone,
  sweep: { seed: [2, 3] },
});
