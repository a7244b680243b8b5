/**
 * Cross-network residual: with it, as in the paper, and without.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "ablation_cross_network_residual",
  question: "Does the SideNet need the residual of the backbone?",
  evaluations: [{
    kind: "recall",
    split: "test",
    batchSize: 8,
    models: ["sidenet-without-memory", "longmem"],
  }],
  sweep: { "sidenet.crossNetworkResidual": [true, false] },
});
