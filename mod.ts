/**
 * LongMem Lab: language models with a long memory, declared, trained and evaluated.
 *
 * {@linkcode defineExperiment} and {@linkcode runExperiment} declare and run experiments; {@linkcode loadLongMem},
 * {@linkcode rememberDocument} and {@linkcode generate} use a model in a program.
 *
 * @module
 */
export * from "./library.ts";

export { defineExperiment } from "./src/experiment/define_experiment.ts";
export { expandSweep } from "./src/experiment/sweep.ts";
export type { Variant } from "./src/experiment/sweep.ts";
export { DeclarationError, type Problem } from "./src/declaration/problem.ts";
export type * from "./src/experiment/declaration.ts";
export { runExperiment, type RunExperimentOptions } from "./src/queue/run_experiment.ts";
export type { Metric, RunState, RunSummary, Variation } from "./src/results/records.ts";
export {
  type InductionMeasure,
  type InductionOptions,
  type InductionRecommendation,
  type InductionScores,
  inductionScores,
  inductionThreshold,
} from "./src/evaluation/induction.ts";
export type { Estimate } from "./src/statistics/estimates.ts";
export type {
  BookConfig,
  ChronicleConfig,
  CountRange,
  DrillConfig,
  PretrainingConfig,
  ReviewsConfig,
  SentenceConfig,
} from "./src/text/chronicle/config.ts";
