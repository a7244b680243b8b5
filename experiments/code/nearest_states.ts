/**
 * What does kNN-LM gain at its best temperature? `searches.ts` tried none below 10, which was the best of them.
 *
 * The settings that are best on the valid split count on the test split.
 */
import { defineExperiment } from "@longmem/lab";
import base, { onBothSplits } from "./language_modeling.ts";

/** The frozen model, and kNN-LM over the same tokens with three shares of each temperature. */
export const nearestStates = (...temperatures: number[]) => [
  { model: "backbone-sliding-window", windowTokens: 256 } as const,
  ...[0.125, 0.25, 0.5].flatMap((lambda) =>
    temperatures.map((temperature) =>
      ({
        model: "knn-lm",
        retrievedTokens: 64,
        lambda,
        temperature,
        capacityTokens: 8192,
        windowTokens: 256,
      }) as const
    )
  ),
];

export default defineExperiment({
  name: "code_nearest_states",
  question: "What does kNN-LM gain at temperatures below 10?",
  corpus: base.corpus,
  tokenizer: base.tokenizer,
  backbone: base.backbone,
  threads: 1,
  evaluations: onBothSplits(nearestStates(1, 3, 10)),
});
