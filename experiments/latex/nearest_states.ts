/**
 * What do kNN-LM and a copy model gain on LaTeX at their best settings? `language_modeling.ts` has one setting of each.
 *
 * The valid split was scored first, then the settings that are best on it were declared for the test split.
 */
import { defineExperiment } from "@longmem/lab";
import { onBothSplits } from "../code/language_modeling.ts";
import { nearestStates, searchSettings } from "../code/nearest_states.ts";
import base from "./language_modeling.ts";

const copy = (minMatchTokens: number) =>
  ({ model: "copy", minMatchTokens, capacityTokens: 8192, windowTokens: 256 }) as const;

const [onValid] = onBothSplits([
  ...searchSettings([0.125, 0.25, 0.5], [1, 3, 10, 30]),
  copy(2),
  copy(3),
]);
const [, onTest] = onBothSplits(
  [
    { model: "backbone-sliding-window", windowTokens: 256 },
    nearestStates({ lambda: 0.25, temperature: 10 }),
    copy(2),
  ] as const,
);

export default defineExperiment({
  name: "latex_nearest_states",
  question: "What do kNN-LM and a copy model gain on LaTeX at their best settings?",
  corpus: base.corpus,
  tokenizer: base.tokenizer,
  backbone: base.backbone,
  threads: 1,
  evaluations: [onValid, onTest],
});
