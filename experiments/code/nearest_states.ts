/**
 * What does kNN-LM gain at its best temperature? `searches.ts` tried none below 10, which was the best of them.
 *
 * The settings that are best on the valid split count on the test split.
 */
import { defineExperiment } from "@longmem/lab";
import base, { onBothSplits } from "./language_modeling.ts";

/** kNN-LM over as many tokens as LongMem's memory holds. */
export const nearestStates = (settings: { lambda: number; temperature: number }) =>
  ({
    model: "knn-lm",
    retrievedTokens: 64,
    ...settings,
    capacityTokens: 8192,
    windowTokens: 256,
  }) as const;

/** The frozen model, and kNN-LM with each share (lambda) and temperature. */
export const searchSettings = (shares: readonly number[], temperatures: readonly number[]) => [
  { model: "backbone-sliding-window", windowTokens: 256 } as const,
  ...shares.flatMap((lambda) =>
    temperatures.map((temperature) => nearestStates({ lambda, temperature }))
  ),
];

export default defineExperiment({
  name: "code_nearest_states",
  question: "What does kNN-LM gain at temperatures below 10?",
  corpus: base.corpus,
  tokenizer: base.tokenizer,
  backbone: base.backbone,
  threads: 1,
  evaluations: onBothSplits(searchSettings([0.125, 0.25, 0.5], [1, 3, 10])),
});
