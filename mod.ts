/**
 * LongMem Lab: language models with a long memory, declared, trained and evaluated.
 */
export { defineExperiment } from "./src/experiment/declaration.ts";
export { DeclarationError, type Problem } from "./src/experiment/validation.ts";
export type {
  AdaptationConfig,
  AdaptationDeclaration,
  BackboneConfig,
  BackboneDeclaration,
  CorpusConfig,
  CorpusDeclaration,
  Declared,
  DeviceChoice,
  EvaluatedModel,
  EvaluationConfig,
  EvaluationDeclaration,
  Experiment,
  IndexConfig,
  IndexDeclaration,
  MemoryConfig,
  MemoryDeclaration,
  PerplexityEvaluation,
  PretrainedBackboneConfig,
  Protocol,
  ResolvedExperiment,
  Scale,
  SideNetConfig,
  SideNetDeclaration,
  SideNetInitialization,
  Split,
  TokenizerConfig,
  TrainingConfig,
  TrainingDeclaration,
} from "./src/experiment/declaration.ts";
