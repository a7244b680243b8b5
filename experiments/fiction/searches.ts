/** What do a copy model and kNN-LM, which need no training, gain on novels in the same window? As `../code/searches.ts` on code. */
import { defineExperiment } from "@longmem/lab";
import { searches } from "../code/searches.ts";
import base from "./language_modeling.ts";

export default defineExperiment({
  name: "fiction_searches",
  question: "What do a copy model and kNN-LM gain on novels in a window that slides?",
  corpus: base.corpus,
  tokenizer: base.tokenizer,
  backbone: base.backbone,
  threads: 1,
  evaluations: searches,
});
