/**
 * Do the differences between starts hold for other seeds of the adaptation, and how much of them does a SideNet show without a memory?
 *
 * That of `start.ts` with three seeds, and a SideNet that is trained without a memory beside it. Declared before the run: a
 * conclusion of `start.ts` holds where its sign is the same for all three seeds.
 */
import { defineExperiment } from "@longmem/lab";
import start from "./start.ts";

export default defineExperiment({
  ...start,
  name: "code_start_seeds",
  question: "Which start of a SideNet gains most within 200 steps on code, whatever the seed?",
  evaluations: [{
    ...start.evaluations[0],
    models: ["backbone", "sidenet-without-memory", "longmem", "longmem-recent-memory"],
  }],
  sweep: { seed: [1, 2, 3], ...start.sweep },
});
