/** A sweep of what is trained and of what is only evaluated: for tests of what runs share. */
import { defineExperiment } from "@longmem/lab";
import tiny from "./tiny.ts";

const [evaluation] = tiny.evaluations;
const models = ["backbone", "sidenet-without-memory", "longmem"] as const;

export default defineExperiment({
  ...tiny,
  evaluations: [{ ...evaluation, models, memory: { retrievedTokens: 16 } }],
  sweep: { "memory.chunkTokens": [2, 4], "evaluations.0.memory.retrievedTokens": [16, 32] },
});
