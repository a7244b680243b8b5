/** Is the gain on novels one of luck? That of `language_modeling.ts` for two more seeds of the adaptation; the same backbone and test. */
import { defineExperiment } from "@longmem/lab";
import { overBoth, overWindow } from "../code/language_modeling.ts";
import base from "./language_modeling.ts";

export default defineExperiment({
  ...base,
  name: "fiction_seeds",
  question:
    "Does a memory gain nats on novels of unseen authors whatever the seed of the adaptation?",
  evaluations: [{
    kind: "perplexity",
    ...overWindow,
    models: overBoth(256),
  }],
  sweep: { seed: [2, 3] },
});
