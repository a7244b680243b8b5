/**
 * Does the gain on code grow with the backbone? LongMem beside one of half and one of twice the size, whose recipe is the same
 * (`smaller_backbone.ts`, `larger_backbone.ts`); test and metric are those of `language_modeling.ts`, the start is that of `longer.ts`.
 */
import { defineExperiment } from "@longmem/lab";
import base, { overBoth, overWindow } from "./language_modeling.ts";
import { fastestStart } from "./start.ts";

export default defineExperiment({
  ...base,
  name: "code_sizes",
  question: "Does a memory gain more on unseen packages beside a larger backbone?",
  sidenet: fastestStart,
  evaluations: [{
    kind: "perplexity",
    ...overWindow,
    models: overBoth(256),
  }],
  sweep: { "backbone.path": ["data/code/smaller", "data/code/backbone", "data/code/larger"] },
});
