/**
 * Is the quickstart's answer one of luck? The same question for three seeds: other books to train on, other unseen books, another
 * order; and every chapter opening from the fifth on.
 */
import { defineExperiment } from "@longmem/lab";
import quickstart from "../quickstart.ts";

export default defineExperiment({
  ...quickstart,
  name: "chronicle_seeds",
  question:
    "Does a frozen language model recall what it read up to 4,096 tokens ago, whatever the seed?",
  evaluations: quickstart.evaluations.map((evaluation) =>
    evaluation.kind === "chapter-break" ? { ...evaluation, maxItems: 24 * 12 } : evaluation
  ),
  sweep: { seed: [1, 2, 3] },
});
