/** Which temperature of kNN-LM is best on novels? As `../code/nearest_states.ts`, on the valid split alone. */
import { defineExperiment } from "@longmem/lab";
import { onBothSplits } from "../code/language_modeling.ts";
import { nearestStates } from "../code/nearest_states.ts";
import base from "./language_modeling.ts";

const [onValid] = onBothSplits(nearestStates(1, 3, 10));

export default defineExperiment({
  name: "fiction_nearest_states",
  question: "Which settings of kNN-LM are best on novels?",
  corpus: base.corpus,
  tokenizer: base.tokenizer,
  backbone: base.backbone,
  threads: 1,
  evaluations: [onValid],
});
