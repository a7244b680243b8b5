/** Declares values that do not fit together; without `defineExperiment`, so only a run finds out. */
import { smallExperiment } from "../small_experiment.ts";

export default { ...smallExperiment, memory: { capacityTokens: 1024, retrievedTokens: 6 } };
