/**
 * The paper's table of efficiency: speed and peak memory with 4k and 8k tokens in sight, all attended to, or all but the last 1k
 * in memory. Batch and GPU of the published numbers are not known, and every machine has its own: they are not put beside ours.
 *
 * Every point is measured in a process of its own, which `deno task measure experiments/paper/efficiency.ts` may start; run it
 * alone. `deno task run` leaves it out.
 */
import { defineExperiment } from "@longmem/lab";
import { contextTokens, released } from "./released.ts";

export default defineExperiment({
  ...released,
  name: "paper_efficiency",
  question: "What does a longer context cost with a memory, and without?",
  corpus: { kind: "none" },
  evaluations: [{
    kind: "efficiency",
    contextTokens,
    totalTokens: [4096, 8192],
    models: ["backbone", "longmem"],
  }],
});
