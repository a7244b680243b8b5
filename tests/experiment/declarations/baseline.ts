/** What does the backbone do alone? */
import { defineExperiment } from "@longmem/lab";
import { evaluation } from "./inner/shared_part.ts";
import { smallExperiment } from "../small_experiment.ts";

export default defineExperiment({
  ...smallExperiment,
  name: "baseline",
  question: "What does the backbone do alone?",
  memory: undefined,
  evaluations: [evaluation],
});
