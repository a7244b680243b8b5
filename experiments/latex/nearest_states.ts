/** Which settings of kNN-LM and a copy model are best on LaTeX? As `../code/nearest_states.ts`, on the valid split alone. */
import { defineExperiment } from "@longmem/lab";
import { onBothSplits } from "../code/language_modeling.ts";
import { nearestStates } from "../code/nearest_states.ts";
import base from "./language_modeling.ts";

const [onValid] = onBothSplits([
  ...nearestStates(1, 3, 10, 30),
  ...[2, 3].map((minMatchTokens) =>
    ({ model: "copy", minMatchTokens, capacityTokens: 8192, windowTokens: 256 }) as const
  ),
]);

export default defineExperiment({
  name: "latex_nearest_states",
  question: "Which settings of kNN-LM and a copy model are best on LaTeX?",
  corpus: base.corpus,
  tokenizer: base.tokenizer,
  backbone: base.backbone,
  threads: 1,
  evaluations: [onValid],
});
