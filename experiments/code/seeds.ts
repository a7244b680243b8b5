/** Is the gain on code one of luck? The same question with another order of packages and windows in the adaptation. */
import { defineExperiment } from "@longmem/lab";
import base, { overBoth, overWindow } from "./language_modeling.ts";

export default defineExperiment({
  ...base,
  name: "code_seeds",
  question:
    "Does a memory gain nats on unseen packages over an equal window, whatever the seed of the adaptation?",
  seed: 2,
  evaluations: [{
    kind: "perplexity",
    ...overWindow,
    models: overBoth(256),
  }],
});
