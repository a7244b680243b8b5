/** Is the gain beyond 1,024 tokens one of luck? That of `memory_beyond_context.ts` for another seed of the adaptation. */
import { defineExperiment } from "@longmem/lab";
import { overBoth, overWindow } from "./language_modeling.ts";
import base from "./memory_beyond_context.ts";

export default defineExperiment({
  ...base,
  name: "code_memory_beyond_context_seeds",
  question:
    "Does a memory gain nats beyond a window of 1,024 tokens whatever the seed of the adaptation?",
  evaluations: [{
    kind: "perplexity",
    ...overWindow,
    models: overBoth(1024),
  }],
  seed: 2,
});
