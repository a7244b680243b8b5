/** What does kNN-LM gain on novels at its best temperature? As `../code/nearest_states.ts` on code. */
import { defineExperiment } from "@longmem/lab";
import { nearestStates } from "../code/nearest_states.ts";
import base from "./language_modeling.ts";

export default defineExperiment({
  name: "fiction_nearest_states",
  question: "What does kNN-LM gain on novels at temperatures below 10?",
  corpus: base.corpus,
  tokenizer: base.tokenizer,
  backbone: base.backbone,
  threads: 1,
  evaluations: nearestStates,
});
