/**
 * The library part of LongMem Lab: loading models with a long memory, reading documents into it, generating, scoring, and what was
 * retrieved. It has no experiments, and runs wherever the engines do: in Deno, Node and browsers, there as an npm package
 * (`deno task package`).
 *
 * @module
 */
export { InputError } from "./src/errors.ts";
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
export type { Declared } from "./src/declaration/part.ts";
export type { Protocol } from "./src/declaration/protocol.ts";
export { type BackboneInitialization, initializeBackbone } from "./src/backbone/initialization.ts";
export type {
  ArchitectureSettings,
  BackboneCheckpoint,
  BackboneShape,
} from "./src/backbone/shape.ts";
export type { MemoryConfig, MemoryDeclaration, MemoryPositions } from "./src/memory/config.ts";
export type { StorageType } from "./src/memory/stored_range.ts";
export { initializeSideNet } from "./src/longmem/initialization.ts";
export type { SideNetInitialization, SideNetSource } from "./src/longmem/starts.ts";
export type { BlocksStart } from "./src/longmem/starts/blocks.ts";
export type { PaperStart } from "./src/longmem/starts/paper.ts";
export type { RandomStart } from "./src/longmem/starts/random.ts";
export type { ExactIndexConfig } from "./src/memory/index/exact.ts";
export type { HnswIndexConfig, HnswIndexDeclaration } from "./src/memory/index/hnsw.ts";
export type { IndexConfig, IndexDeclaration } from "./src/memory/index/indexes.ts";
export type { LinkedSearch } from "./src/memory/index/linked_search.ts";
export type { UsearchIndexConfig, UsearchIndexDeclaration } from "./src/memory/index/usearch.ts";
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
export {
  explainToken,
  type Passage,
  passagesOf,
  type TokenExplanation,
  totalShare,
} from "./src/longmem/passages.ts";
export type { Padding } from "./src/longmem/padding.ts";
export type { MemoryRange, MemoryReading } from "./src/longmem/explanation.ts";
export type { SaveMemoryOptions } from "./src/longmem/saved_memory.ts";
export type { MemoryDescription, RememberedText } from "./src/memory/memory_file.ts";
export type { FrozenType } from "./src/backbone/shape.ts";
export type { DeviceDescription, DeviceKind } from "./src/runtime/device.ts";
export type { LastResidual, SideNetCheckpoint, SideNetShape } from "./src/longmem/sidenet_shape.ts";
export type { HostTensor, TensorMap } from "./src/tensor.ts";
export type { SpecialIds, Tokenizer } from "./src/text/tokenizer.ts";
export type { ChronicleTokenizerConfig } from "./src/text/tokenizers/chronicle.ts";
export type { FileTokenizerConfig, FileTokenizerSource } from "./src/text/tokenizers/file.ts";
export type { Gpt2TokenizerConfig } from "./src/text/tokenizers/gpt2.ts";
export { openTokenizer, type TokenizerSource } from "./src/text/tokenizers/tokenizers.ts";
export type { Batch, LongMemModel, RetrievedChunks } from "./src/longmem/longmem_model.ts";
export type { Network } from "./src/longmem/networks.ts";
export type { TokenWindow } from "./src/longmem/token_window.ts";
export { type ProvidedFolder, provideFiles } from "./src/provided_files.ts";
