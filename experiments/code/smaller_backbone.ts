/**
 * Does a backbone of half the size form induction heads on source code, too? That of `backbone.ts`, with 96 instead of 128 numbers a
 * token and three heads instead of four.
 */
import { defineExperiment } from "@longmem/lab";
import code, { pretrained } from "./backbone.ts";

/** How it is trained; `smaller_backbone_longer.ts` trains it on. */
export const smaller = { ...pretrained, hiddenDim: 96, heads: 3, feedForwardDim: 256 } as const;

export default defineExperiment({
  ...code,
  name: "code_smaller_backbone",
  question: "Does a backbone of half the size form induction heads on source code?",
  backbone: smaller,
});
