/** Does a backbone of twice the size form induction heads on source code, too? That of `backbone.ts`, with 192 numbers a token. */
import { defineExperiment } from "@longmem/lab";
import code from "./backbone.ts";

const { backbone } = code;
if (backbone.kind !== "pretrain") throw new TypeError("The backbone for code is trained");

export default defineExperiment({
  ...code,
  name: "code_larger_backbone",
  question: "Does a backbone of twice the size form induction heads on source code?",
  backbone: { ...backbone, hiddenDim: 192, heads: 6, feedForwardDim: 512 },
});
