/**
 * A bank for each row, or one of as many tokens a row for all, as in the released training; both are evaluated one book at a time.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "ablation_bank",
  question: "May rows that read different books share a memory?",
  evaluations: [{ kind: "recall", split: "test", batchSize: 8, models: ["longmem"] }],
  sweep: {
    zip: {
      "memory.bank": ["per-row", "shared"],
      "memory.reset": ["document", "epoch"],
      "memory.capacityTokens": [4096, 8 * 4096],
    },
  },
});
