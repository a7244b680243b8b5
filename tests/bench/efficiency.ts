/**
 * Speed and memory by length of context: attention to everything, or a short segment and a memory of the rest:
 *
 *     deno task measure tests/bench/efficiency.ts
 *
 * It is not among the experiments, which a machine may run beside other work: run it alone. Numbers are those of one machine.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../../experiments/quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "efficiency",
  question: "What does a longer context cost with a memory, and without?",
  adaptation: undefined,
  evaluations: [{
    kind: "efficiency",
    models: ["backbone", "untrained-with-memory"],
    contextTokens: 128,
    batchSize: 2,
    totalTokens: [512, 1024, 2048, 4096],
  }],
});
