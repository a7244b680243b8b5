/**
 * LongMem Lab: language models with a long memory, declared, trained and evaluated.
 *
 * {@linkcode defineExperiment} and {@linkcode runExperiment} declare and run experiments; {@linkcode loadLongMem},
 * {@linkcode rememberDocument} and {@linkcode generate} use a model in a program.
 *
 * @module
 */
export { defineExperiment } from "./src/experiment/define_experiment.ts";
export { expandSweep } from "./src/experiment/sweep.ts";
export type { Variant } from "./src/experiment/sweep.ts";
export { InputError } from "./src/errors.ts";
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
export {
  askPrompts,
  type Prompt,
  type PromptedItem,
  type PromptOptions,
  type PromptScore,
} from "./src/evaluation/shared/prompting.ts";
export {
  type Choices,
  type ChoosingModel,
  type LanguageModel,
  languageModel,
  type PromptedModel,
  type ScoredLongMem,
  type SegmentRows,
} from "./src/evaluation/shared/language_model.ts";

export { initializeBackbone } from "./src/backbone/initialization.ts";
export type {
  ArchitectureSettings,
  BackboneCheckpoint,
  BackboneShape,
} from "./src/backbone/shape.ts";
export type { MemoryPositions } from "./src/memory/config.ts";
export { initializeSideNet } from "./src/longmem/initialization.ts";
export {
  defaultSideNetShape,
  loadLongMem,
  type LoadLongMemOptions,
} from "./src/checkpoint/load.ts";
export {
  generate,
  type GeneratedToken,
  type GenerateOptions,
  generateTokens,
  rememberDocument,
} from "./src/longmem/generation.ts";
export type { Padding } from "./src/longmem/padding.ts";
export type { MemoryRange, MemoryReading } from "./src/longmem/explanation.ts";
export type { SaveMemoryOptions } from "./src/longmem/saved_memory.ts";
export type { MemoryDescription, RememberedText } from "./src/memory/memory_file.ts";
export type { DeviceDescription, DeviceKind } from "./src/runtime/device.ts";
export type { LastResidual, SideNetCheckpoint, SideNetShape } from "./src/longmem/sidenet_shape.ts";
export type { HostTensor, TensorMap } from "./src/tensor.ts";
export type {
  BookConfig,
  ChronicleConfig,
  CountRange,
  DrillConfig,
  PretrainingConfig,
  ReviewsConfig,
  SentenceConfig,
} from "./src/text/chronicle/config.ts";
export type { SpecialIds, Tokenizer } from "./src/text/tokenizer.ts";
export { openTokenizer, type TokenizerSource } from "./src/text/tokenizer_source.ts";
export type { Batch, LongMemModel, RetrievedChunks } from "./src/longmem/longmem_model.ts";
export type { Network } from "./src/longmem/network.ts";
export type { TokenWindow } from "./src/longmem/token_window.ts";
