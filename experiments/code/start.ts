/**
 * How should a SideNet begin on real text: as copies, a quarter of them, or silent, with the last block's stream raw or after the
 * final norm?
 *
 * Registered before the run: with a silent start LongMem is at least as good as the frozen backbone on every package.
 */
import { defineExperiment } from "@longmem/lab";
import base from "./language_modeling.ts";

/** The start that this found to gain most: whole copies of blocks, whose last residual is raw, as it is beside a Llama by default. */
export const fastestStart = {
  memoryBlock: 3,
  initialization: { kind: "blocks", blocks: [1, 3] },
} as const;

export default defineExperiment({
  ...base,
  name: "code_start",
  question: "Which start and which last residual of a SideNet gain most within 200 steps on code?",
  adaptation: { ...base.adaptation!, steps: 200, checkpointEverySteps: 200 },
  evaluations: [{
    kind: "perplexity",
    split: "test",
    batchSize: 4,
    firstTokens: 2048,
    models: ["backbone", "longmem", "longmem-recent-memory"],
  }],
  sweep: {
    "sidenet.lastResidual": ["raw", "final-norm"],
    "sidenet.initialization.outputScale": [1, 0.25, 0],
  },
});
