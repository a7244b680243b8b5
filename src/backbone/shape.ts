import type { TensorMap } from "../tensor.ts";

/** Id of `<pad>` in the official fairseq vocabulary (specification section 1). */
export const padId = 1;

/** No model has more blocks; names and shapes of their tensors are listed before a file is compared with them. */
export const mostLayers = 10_000;

/** Sizes of the frozen backbone. */
export interface BackboneShape {
  /** Name in the registry of architectures; absent: `longmem_gpt2`, the paper's. */
  readonly architecture?: string;
  /** Blocks L. */
  readonly layers: number;
  /** Width E. */
  readonly hiddenDim: number;
  /** Attention heads H; of most architectures `hiddenDim` is a multiple of it. */
  readonly heads: number;
  /** Width of the MLP F; the official code has 4E. */
  readonly feedForwardDim: number;
  /** Vocabulary V, special tokens included. */
  readonly vocabSize: number;
  /** Everything else that the architecture can choose, complete; absent where it has no choice, as the paper's. */
  readonly settings?: ArchitectureSettings;
}

/** Settings of an architecture: JSON values by their names. */
export type ArchitectureSettings = Readonly<Record<string, unknown>>;

/** Type in which a device holds the matrices of a frozen backbone. */
export type FrozenType = "float32" | "float16";

/** A frozen language model. */
export interface BackboneCheckpoint {
  /** Sizes. */
  readonly shape: BackboneShape;
  /** Tokens of a segment it was trained on, where the checkpoint says. */
  readonly contextTokens?: number;
  /** Tensors by their names; those of the paper's architecture are the official ones, without the prefix `decoder.model.`. */
  readonly weights: TensorMap;
  /** Type in which a device holds its matrices while they are frozen (default float32). */
  readonly frozenType?: FrozenType;
}
