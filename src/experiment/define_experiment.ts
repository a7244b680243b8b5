import type { Experiment } from "./declaration.ts";
import { resolveVariants } from "./sweep.ts";

/**
 * Declares an experiment: returns its argument, so that the editor completes and checks every field,
 * after checking rules beyond the types (`retrievedTokens` is a multiple of `chunkTokens`, ...), for each run of its sweep.
 *
 * @param experiment The declaration.
 * @returns The same object.
 * @throws {DeclarationError} Where values are wrong or do not fit together; it lists them all.
 *
 * @example Usage
 * ```ts
 * import { defineExperiment } from "@longmem/lab";
 * import assert from "node:assert/strict";
 *
 * const baseline = defineExperiment({
 *   name: "baseline",
 *   corpus: { folder: "data/novels", train: "train", valid: "valid", test: "test" },
 *   tokenizer: { kind: "bpe", vocabSize: 4096 },
 *   backbone: { kind: "checkpoint", path: "data/backbone" },
 *   evaluations: [{ kind: "perplexity", split: "test", models: ["backbone"], contextTokens: 512 }],
 * });
 * assert.equal(baseline.memory, undefined);
 * ```
 */
export function defineExperiment(experiment: Experiment): Experiment {
  resolveVariants(experiment);
  return experiment;
}
