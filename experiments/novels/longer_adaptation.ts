/** Was the SideNet of `language_modeling.ts` trained for too short a time? The same backbone, two and a half times the steps. */
import { defineExperiment } from "@longmem/lab";
import base from "./language_modeling.ts";

const [evaluation] = base.evaluations;
if (!base.adaptation || evaluation.kind !== "perplexity") {
  throw new TypeError("The base experiment adapts");
}

export default defineExperiment({
  ...base,
  name: "novels_longer_adaptation",
  question: "Was the SideNet trained for too short a time?",
  adaptation: { ...base.adaptation, steps: 2500 },
  evaluations: [{
    ...evaluation,
    models: ["backbone", "sidenet-without-memory", "longmem", "longmem-other-document"],
  }],
});
