/**
 * Interface of backbone architectures. An architecture is a file in `architectures/` and a line in `architectures.ts`;
 * the networks of `longmem/` are built from its blocks, of any structure.
 */
import type { z } from "zod";
import type { AttentionBlock } from "../graph/attention_block.ts";
import type { Graph, Value } from "../graph/graph.ts";
import type { LinearHead } from "../graph/ops/cross_entropy.ts";
import type { DropoutMask } from "../graph/ops/dropout.ts";
import type { HuggingFaceFormat } from "./huggingface_format.ts";
import type { BackboneShape } from "./shape.ts";

/** Weights as values of a graph, by their names. */
export type Weights = (name: string) => Value;

/** Sizes of a batch for which a graph is built. */
export interface BatchSizes {
  /** Rows B. */
  readonly rows: number;
  /** Tokens T of a row. */
  readonly contextTokens: number;
  /** Whether padding may stand anywhere; otherwise only at the end of rows, where nothing sees it. */
  readonly padded: boolean;
  /** Tokens C before the segment's one token whose keys and values are cached; absent: rows begin with their segments. */
  readonly cachedTokens?: number;
}

/** Which keys a query sees, besides that none is later than it and none is padding. */
export interface Visibility {
  /** Tokens that a query sees, itself included; absent: all before it. */
  readonly windowTokens?: number | undefined;
  /** Rows, where it is 1, whose pad keys ALiBi leaves visible [B, 1, 1, 1]: the official joint attention does not hide them. */
  readonly padsVisible?: Value | undefined;
}

/** Position encoding of a batch: its terms in the scores, the queries and keys, and the embeddings. */
export interface Positions {
  /** Bias of a block of scores: hides later keys, those beyond a window, and pad keys of a padded batch. */
  block(block: AttentionBlock, visibility?: Visibility): Value;
  /** Bias of keys that lie a distance of so many tokens before each query of a block [b1-b0 or 1, H, t1-t0 or 1, 1]; absent: distances have none. */
  atDistance?(block: AttentionBlock, tokens: number): Value;
  /** Queries or keys [B, H, T, D] of a block as they meet each other; absent: as they are. */
  turn?(x: Value, block: number): Value;
  /** Queries [B, H, T, D] of a block as they meet keys that are not turned and lie so many tokens before, or nowhere; absent: as they are. */
  turnBy?(x: Value, block: number, tokens?: number): Value;
  /** Rows of a table [n, E] of learned positions that are added to the embeddings: [B or 1, T, E]. */
  embeddings?(table: Value): Value;
}

/** A batch and how to compute it. */
export interface BatchOptions extends Pick<BatchSizes, "rows" | "contextTokens"> {
  readonly positions: Positions;
  readonly blockBytes: number;
  /** As `attention` takes it. */
  readonly fusedQueries?: number | undefined;
  /** Keys and values [B, Hkv, C, D] of the tokens before, which a layer has cached; absent: rows begin with their segments. */
  readonly cache?: (layer: string) => { k: Value; v: Value };
}

/** Queries [B, H, T, D], keys and values [B, Hkv, T, D] of a block's heads. */
export interface AttentionHeads {
  /** Queries, scaled and turned to their positions. */
  readonly q: Value;
  /** Queries, neither scaled nor turned: retrieval uses them so. */
  readonly query: Value;
  /** Queries, scaled and not turned: they meet retrieved keys. */
  readonly scaledQuery: Value;
  /** Keys, turned to their positions. */
  readonly k: Value;
  readonly v: Value;
  /** Queries [B, H, T, D] as they meet keys that are not turned and lie so many tokens before, or nowhere; absent: as they are. */
  turnBy?(x: Value, tokens?: number): Value;
  /** Tokens that a query sees, itself included; absent: all before it. */
  readonly windowTokens?: number;
  /** Soft cap of the scores, of retrieved keys as well; absent: they have none. */
  readonly softCap?: number | undefined;
}

/** A block's position, and the differences from its plain computation. */
export interface BlockContext {
  readonly shape: BackboneShape;
  readonly batch: BatchOptions;
  /** Number of the block in the backbone; that of a SideNet layer is the number of a block that it resembles. */
  readonly index: number;
  /** Attention of the heads [B, H, T, D]. */
  readonly attend: (heads: AttentionHeads) => Value;
  /** Dropout on the output of the MLP, in training. */
  readonly mlpDropout?: DropoutMask | undefined;
  /** Added to the block's output: a SideNet's cross-network residual [N, E]. */
  readonly across?: Value | undefined;
}

/** Outputs of a block. */
export interface BlockOutputs {
  /** The stream after it [N, E]. */
  readonly output: Value;
  /** Query [N, H D], key and value projections [N, Hkv D], without position, before the split into heads. */
  readonly projections: { readonly q: Value; readonly k: Value; readonly v: Value };
  readonly heads: AttentionHeads;
  /** Output of the attention after its projection, and after the norm behind it if there is one [N, E]. */
  readonly attended: Value;
  /** Input of the MLP: the stream after the norm before it, if there is one [N, E]. */
  readonly mlpInput: Value;
}

/** The head of a backbone. */
export interface BackboneHead extends LinearHead {
  /** Factor of the features that it reads; absent: 1. */
  readonly featureScale?: number | undefined;
}

/** Role of a tensor, which decides its first values. */
export type TensorRole = "embeddings" | "head" | "output" | "gain" | "other";

/** Whether a tensor is of gates [H]: biases whose sigmoid is the share of the memory; their official name ends so. */
export function isGate(name: string): boolean {
  return name.endsWith(".memory_bias");
}

/** The layers of a SideNet beside an architecture. */
export interface SideNetLayers {
  /** Tensors of a layer by their names within it, with a gate [H] for the one that reads the memory. */
  layerTensors(shape: BackboneShape, options: { reads: boolean }): Map<string, number[]>;
  /** Tensors beside the layers. */
  finalTensors(shape: BackboneShape): Map<string, number[]>;
  /** Name of the gates within a layer, as {@linkcode isGate} knows it. */
  readonly gate: string;
  /** Name, within a block of the backbone, of the tensor that initializes a layer's tensor. */
  sourceInBlock(name: string): string;
  /** Name, in the backbone, of the tensor that initializes a tensor outside the layers. */
  sourceOfFinal(name: string): string;
  /** Largest absolute value of a random tensor of a layer; 0: zeros. */
  uniformBound(name: string, shape: BackboneShape): number;
  /** Whether a tensor multiplies normalised values, and so begins as 1. */
  isGain(name: string): boolean;
  /** Whether a tensor of a layer is of the projections, after attention and MLP, whose outputs are added to the stream, or of norms between. */
  isOutput(name: string, shape: BackboneShape): boolean;
  layer(x: Value, weights: Weights, context: BlockContext): BlockOutputs;
  /** Features [N, E] that the frozen head reads. */
  finish(x: Value, weights: Weights, shape: BackboneShape): Value;
}

/** One kind of backbone. */
export interface Architecture {
  /** Name in declarations and checkpoints. */
  readonly name: string;
  /** Form of `shape.settings`, with a default for each; absent: there are none. */
  readonly settings?: z.ZodObject;
  /** The problem of sizes that do not go together, as "must ...: current values are ..."; undefined for sound ones. */
  problem(shape: BackboneShape): string | undefined;
  /** Heads of keys and values, and channels of a head: of them a memory bank consists. */
  keyHeads(shape: BackboneShape): { keyValueHeads: number; headDim: number };
  /** Soft cap of the scores of all attention, as {@linkcode AttentionHeads} has it. */
  scoreSoftCap?(shape: BackboneShape): number | undefined;
  /** Most tokens of a segment; absent: any number. */
  mostTokens?(shape: BackboneShape): number | undefined;
  /** Id that is padding wherever it stands; absent: no id is, and batches say how long their rows are. */
  readonly padId?: number;
  /** Whether the last hidden state is the stream after the final norm, as the official code has it; SideNets see it so, too, unless declared otherwise. */
  readonly lastStateIsNormed?: true;
  /** Names of tensors and their shapes. */
  tensors(shape: BackboneShape): Map<string, number[]>;
  roleOf(name: string): TensorRole;
  /** Prefix of the names of a block's tensors. */
  blockPrefix(index: number): string;
  /** Prefix of the names of the final norm's tensors. */
  readonly finalPrefix: string;
  /** Name, within a block, of gates that a Memorizing Transformer adds, as {@linkcode isGate} knows it. */
  readonly gate: string;
  positions(graph: Graph, shape: BackboneShape, batch: BatchSizes): Positions;
  /** Embeds tokens int32 [B, T]: the input of the first block [N, E]. */
  embed(tokens: Value, weights: Weights, context: Omit<BlockContext, "index" | "attend">): Value;
  block(x: Value, weights: Weights, context: BlockContext): BlockOutputs;
  /** Features [N, E] that the head reads, from the stream after the last block. */
  finish(x: Value, weights: Weights, shape: BackboneShape): Value;
  head(weights: Weights, shape: BackboneShape): BackboneHead;
  readonly sideNet: SideNetLayers;
  /** How Hugging Face's repositories hold such models; absent: they do not. */
  readonly huggingFace?: HuggingFaceFormat;
}
