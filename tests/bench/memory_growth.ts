/**
 * Speed of a pass by the size of the memory behind it, up to a million tokens:
 *
 *     deno task measure tests/bench/memory_growth.ts --device webgpu
 *
 * For a GPU that nothing else uses; on a CPU a million tokens take minutes.
 */
import { defineExperiment } from "@longmem/lab";
import efficiency from "./efficiency.ts";

export default defineExperiment({
  ...efficiency,
  name: "memory_growth",
  question: "What does a larger memory cost?",
  evaluations: [{
    kind: "efficiency",
    models: ["untrained-with-memory"],
    contextTokens: 128,
    batchSize: 1,
    totalTokens: [1024, 16_384, 65_536, 262_144, 1_048_576],
  }],
});
