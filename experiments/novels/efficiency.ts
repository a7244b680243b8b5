/**
 * The paper's table of efficiency in small: speed and peak memory of the models of language_modeling.ts, whose training is shared
 * although weights make no difference, with 1k to 8k tokens in sight: all attended to, or all but the last 256 in memory.
 *
 * Every point is measured in a process of its own, which `deno task measure experiments/novels/efficiency.ts` may start; run it
 * alone. `deno task run` leaves it out.
 */
import { defineExperiment } from "@longmem/lab";
import base from "./language_modeling.ts";

export default defineExperiment({
  ...base,
  name: "novels_efficiency",
  question: "What does a longer context of a novel cost with a memory, and without?",
  evaluations: [{
    kind: "efficiency",
    totalTokens: [1024, 2048, 4096, 8192],
    models: ["backbone", "longmem"],
  }],
});
