/** Does a backbone of twice the size form induction heads on source code, too? That of `backbone.ts`, with 192 numbers a token. */
import { defineExperiment } from "@longmem/lab";
import code, { pretrained } from "./backbone.ts";

export default defineExperiment({
  ...code,
  name: "code_larger_backbone",
  question: "Does a backbone of twice the size form induction heads on source code?",
  backbone: { ...pretrained, hiddenDim: 192, heads: 6, feedForwardDim: 512 },
});
