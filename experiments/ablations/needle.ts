/**
 * Finding and reading: facts told once in texts that otherwise tell nothing. What is not retrieved cannot be read, and beyond its
 * capacity a memory holds nothing. No training: the SideNet as initialised reads as its backbone looks up.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "ablation_needle",
  question: "Where a fact is not recalled, was it not retrieved, or not read?",
  adaptation: undefined,
  evaluations: [{
    kind: "needle",
    models: ["backbone", "untrained-with-memory"],
    contextTokens: 128,
    batchSize: 8,
    distances: [64, 128, 256, 512, 1024, 2048, 4096],
    instances: 48,
  }],
  sweep: { "evaluations.0.memory.capacityTokens": [1024, 4096] },
});
