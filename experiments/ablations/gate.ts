/**
 * Gate between segment and memory: a number for each head that is learned, as in the paper, or half of each for every head.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "ablation_gate",
  question: "Must every head learn how much of its memory it takes?",
  evaluations: [{ kind: "recall", split: "test", batchSize: 8, models: ["longmem"] }],
  sweep: { "adaptation.gate": ["learned", "fixed"] },
});
