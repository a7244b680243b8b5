/**
 * Does an induction head form in the smaller backbone with more tokens? All weights of that of `smaller_backbone.ts`, which has none
 * after 14.3 M tokens, are trained on with as many more, from the first learning rate again.
 */
import { defineExperiment } from "@longmem/lab";
import code, { smaller } from "./smaller_backbone.ts";

export default defineExperiment({
  ...code,
  name: "code_smaller_backbone_longer",
  question: "Does the smaller backbone form induction heads with more tokens?",
  tokenizer: { kind: "file", path: "data/code/smaller/tokenizer.json" },
  backbone: { ...smaller, initialization: { kind: "checkpoint", path: "data/code/smaller" } },
});
