/**
 * What do a copy model and kNN-LM, which need no training, gain in the same window? The settings that are best on the
 * valid split count on the test split.
 */
import { defineExperiment } from "@longmem/lab";
import base, { onBothSplits } from "./language_modeling.ts";

const window = { capacityTokens: 8192, windowTokens: 256 };

/** The frozen model, and models that search the text so far, each with several settings. */
const models = [
  { model: "backbone-sliding-window", windowTokens: 256 },
  ...[2, 3].map((minMatchTokens) => ({ model: "copy", minMatchTokens, ...window } as const)),
  ...[0.25, 0.5].flatMap((lambda) =>
    [10, 30, 100].map((temperature) =>
      ({ model: "knn-lm", retrievedTokens: 64, lambda, temperature, ...window }) as const
    )
  ),
] as const;

/** The models on both splits. */
export const searches = onBothSplits(models);

export default defineExperiment({
  name: "code_searches",
  question: "What do a copy model and kNN-LM gain in a window that slides?",
  corpus: base.corpus,
  tokenizer: base.tokenizer,
  backbone: base.backbone,
  threads: 1,
  evaluations: searches,
});
