/** Is the gain after four times the steps one of luck? That of `longer.ts` for two more seeds of the adaptation; the same backbone and test. */
import { defineExperiment } from "@longmem/lab";
import { overBoth, overWindow } from "./language_modeling.ts";
import longer from "./longer.ts";

export default defineExperiment({
  ...longer,
  name: "code_longer_seeds",
  question:
    "Does a memory gain as much after four times the adaptation, whatever the seed of the adaptation?",
  evaluations: [{
    kind: "perplexity",
    ...overWindow,
    models: overBoth(256),
  }],
  sweep: { seed: [2, 3] },
});
