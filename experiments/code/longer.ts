/**
 * Does the gain on code grow with the adaptation? Four times the steps of `language_modeling.ts`, from whole copies of the blocks, the
 * start that `start.ts` found to learn fastest. The same test, and the same primary metric.
 */
import { defineExperiment } from "@longmem/lab";
import base from "./language_modeling.ts";
import { fastestStart } from "./start.ts";

export default defineExperiment({
  ...base,
  name: "code_longer",
  question: "Does a memory gain more on unseen packages when the SideNet is adapted for longer?",
  sidenet: fastestStart,
  adaptation: { ...base.adaptation!, steps: 6400, diagnoseEverySteps: 400 }, // 3.3 M tokens
});
