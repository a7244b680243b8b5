/**
 * What does kNN-LM gain on novels at its best settings? `searches.ts` tried fewer of them, and the best were the lowest.
 *
 * The valid split was scored first, then the settings that are best on it were declared for the test split.
 */
import { defineExperiment } from "@longmem/lab";
import { onBothSplits } from "../code/language_modeling.ts";
import { nearestStates, searchSettings } from "../code/nearest_states.ts";
import base from "./language_modeling.ts";

const [onValid] = onBothSplits(searchSettings([0.0625, 0.125, 0.25, 0.5], [1, 3, 10, 30]));
const [, onTest] = onBothSplits(
  [
    { model: "backbone-sliding-window", windowTokens: 256 },
    nearestStates({ lambda: 0.125, temperature: 10 }),
  ] as const,
);

export default defineExperiment({
  name: "fiction_nearest_states",
  question: "What does kNN-LM gain on novels at its best settings?",
  corpus: base.corpus,
  tokenizer: base.tokenizer,
  backbone: base.backbone,
  threads: 1,
  evaluations: [onValid, onTest],
});
