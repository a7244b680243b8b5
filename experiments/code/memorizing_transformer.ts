/**
 * Does a memory need a SideNet, or does the Memorizing Transformer, whose upper block is trained itself, gain as much? Both with the
 * same batches and steps, and each at five learning rates, of which the one that is best on the valid split counts on the test split.
 */
import { defineExperiment } from "@longmem/lab";
import base, { onBothSplits } from "./language_modeling.ts";
import { fastestStart } from "./start.ts";

export default defineExperiment({
  ...base,
  name: "code_memorizing_transformer",
  question:
    "Does LongMem gain more on unseen packages than a Memorizing Transformer, each at its best learning rate?",
  sidenet: fastestStart,
  adaptation: { ...base.adaptation!, steps: 800 }, // 0.4 M tokens
  evaluations: onBothSplits(
    [
      { model: "backbone-sliding-window", windowTokens: 256 },
      { model: "memorizing-transformer", windowTokens: 256 },
      { model: "longmem", windowTokens: 256 },
    ] as const,
  ),
  sweep: { "adaptation.learningRate": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2] },
});
