/** Two variants of one question, one of them a baseline: what a folder of experiments looks like. */
import { defineExperiment } from "@longmem/lab";
import { smallExperiment } from "../small_experiment.ts";

export default [1024, 2048].map((capacityTokens) =>
  defineExperiment({ ...smallExperiment, name: "two_sizes", memory: { capacityTokens } })
);
