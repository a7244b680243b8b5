/** Does the backbone of `backbone.ts` form an induction head from another seed, too? */
import { defineExperiment } from "@longmem/lab";
import code from "./backbone.ts";

export default defineExperiment({
  ...code,
  name: "code_backbone_seeds",
  question: "Does a small backbone form induction heads on source code whatever the seed?",
  seed: 2,
});
