/**
 * Networks of a LongMem: each reads a segment, and perhaps a memory. Each is a file in `networks/` and a line in `networks.ts`.
 */
import type { AttentionHeads, BatchOptions, Weights } from "../backbone/architecture.ts";
import type { BackboneOutputs } from "../backbone/backbone_graph.ts";
import type { BackboneShape, FrozenType } from "../backbone/shape.ts";
import type { Kind } from "../declaration/registry.ts";
import { dims, type Graph, type Value } from "../graph/graph.ts";
import type { LinearHead } from "../graph/ops/cross_entropy.ts";
import type { DropoutMask } from "../graph/ops/dropout.ts";
import { reshape } from "../graph/ops/reshape.ts";
import type { BankShape } from "../memory/bank_shape.ts";
import { attendToChunks } from "../memory/chunk_attention.ts";
import type { MemoryConfig } from "../memory/config.ts";
import { bankInputs, hiddenChunkBias, type Retrieved } from "../memory/memory_graph.ts";
import { retrieve } from "../memory/retriever.ts";
import type { ElementType } from "../tensor.ts";
import type { MemoryReader, MemoryShares } from "./joint_attention.ts";

/** A network; `Shape` has the sizes and settings of its part. */
export interface NetworkKind<Shape = unknown> extends Kind {
  /** Its part of a model, beside the backbone or within it; absent: it has none. */
  readonly part?: PartKind<Shape>;
  /** Its memory; absent: it reads none. */
  readonly memory?: MemoryKind<Shape>;
  /** Whether a token can follow others by their cached keys and values. */
  readonly followsCache: boolean;
  forward(pass: NetworkPass<Shape>): NetworkStates;
}

/** A kind of part that a network has beside the backbone, or within it; networks that differ in their memory share one. */
export interface PartKind<Shape> {
  /** Reason why a model without it cannot run the network: `there is no SideNet`. */
  readonly lack: string;
  /** Its weights, which a training changes while the backbone stays as it is; absent: it has none. */
  readonly weights?: PartWeights<Shape>;
}

export interface PartWeights<Shape> {
  /** The part in records of trainings. */
  readonly name: string;
  /** The part in words: `the SideNet`. */
  readonly label: string;
  /** Prefix of their names among the inputs of a graph. */
  readonly prefix: string;
  /** Their names and shapes. */
  tensors(part: Shape, backbone: BackboneShape): ReadonlyMap<string, readonly number[]>;
  /** Numbers of the layers that have dropout. */
  layers(part: Shape, backbone: BackboneShape): readonly number[];
}

/** A network's memory. */
export interface MemoryKind<Shape> {
  /** Blocks whose keys and values are remembered: one for each bank. */
  blocks(part: Shape, backbone: BackboneShape): readonly number[];
  /** Heads of the remembered keys and values, and their sizes; absent: those of the backbone's keys. */
  heads?(backbone: BackboneShape): { readonly heads: number; readonly headDim: number };
  /** Whether graphs tell banks apart by their blocks, each of which reads its own. */
  readonly several?: true;
  /** Reads that a model can report; absent: none. */
  readonly tells?: MemoryTells;
  /** Reason why no other model can read it: `several blocks have one each`; absent: all SideNets of the block can. */
  readonly unshared?: string;
}

/**
 * Reads of a memory that a model can report: which chunks its queries find, and how much of each token it reads; or which states
 * are nearest to its own.
 */
export type MemoryTells = "chunks" | "states";

/** The memory as a graph reads it. */
export interface GraphMemory {
  readonly bank: BankShape;
  readonly config: MemoryConfig;
  /** Element type in which the bank's keys and values lie on the device. */
  readonly type: ElementType;
  /** Whether chunks are found outside of the graph, as `followBank` decides; not for several banks. */
  readonly outside: boolean;
  /** What attends to these chunks, where the graph does not: kernels of a GPU, or the host, which alone has their keys and values. */
  readonly attention?: "kernels" | "host";
}

/** Outputs of a graph, and its batches. */
export interface ForwardOptions {
  /** Name of the network. */
  readonly network: string;
  readonly backbone: BackboneShape;
  /** Type in which the backbone's matrices are fed (default `float32`). */
  readonly frozenType?: FrozenType | undefined;
  /** Shape of the network's part. */
  readonly part?: unknown;
  /** Absent: layers that would read it see the segment alone. */
  readonly memory?: GraphMemory | undefined;
  readonly rows: number;
  readonly contextTokens: number;
  /** Whether padding may stand anywhere; otherwise only at the end of rows, where nothing sees it. */
  readonly padded: boolean;
  /**
   * Tokens C whose keys and values a `SegmentCache` has room for: the one token of each row follows those in it. Absent:
   * rows begin with their segments. Only of networks that follow caches.
   */
  readonly cachedTokens?: number;
  readonly blockBytes: number;
  /** Of attention that takes no gradient, as `attention` takes it. */
  readonly fusedQueries?: number | undefined;
  /** Records the reads from the memory, some of whose chunks may be hidden from a row. Not of blocks with memories of their own. */
  readonly explains?: boolean;
  /** Tokens at the end of each row whose features the head reads; absent: all. */
  readonly scoredTokens?: number;
  /** Dropout of the layers that are trained. */
  readonly dropout?:
    | ((graph: Graph, layer: number) => { attention: DropoutMask; mlp: DropoutMask })
    | undefined;
}

/** Inputs from which a network is built. */
export interface NetworkPass<Shape = unknown> {
  readonly graph: Graph;
  /** int32 [B, T] */
  readonly tokens: Value;
  /** The backbone's weights. */
  readonly frozen: Weights;
  /** Shape of the network's part. */
  readonly part: Shape;
  /** The part's weights. */
  readonly weights: Weights;
  readonly batch: BatchOptions;
  readonly options: ForwardOptions;
}

/** Retrieved chunks and, where a graph explains itself, how much of each is read. */
export interface NotedRetrieval extends Retrieved {
  readonly shares?: MemoryShares;
}

/** Values that a network computes below the frozen head. */
export interface NetworkStates {
  /** Backbone hidden states and projections. */
  readonly backbone: BackboneOutputs;
  /** Heads of the layers beside the backbone's, by name, as their attention to the segment takes them. */
  readonly layers?: ReadonlyMap<string, AttentionHeads>;
  /** Keys and values [N, Hkv D] that are to be remembered, for each bank of the graph. */
  readonly cached: readonly { readonly k: Value; readonly v: Value }[];
  /** The chunks that queries find, for each bank of the graph. */
  readonly retrieved: readonly NotedRetrieval[];
  /** Input of the head, for all tokens [N, E]; absent: the backbone's own. */
  readonly features?: Value;
}

/** Values of a forward pass; the features are those of the scored tokens of each row [n, E]. */
export interface Forward extends NetworkStates {
  readonly graph: Graph;
  /** Input "tokens", int32 [B, T]. */
  readonly tokens: Value;
  /** The frozen head. */
  readonly head: LinearHead;
  readonly features: Value;
}

/** Prefix of a bank's inputs in a graph of several: one for each block. */
export function blockPrefix(block: number): string {
  return `block.${block}.`;
}

/**
 * Retrieval from a bank.
 *
 * @param noted `retrieved`: records the retrieved chunks; `prefix`: tells several banks apart.
 */
export function memoryReader(
  graph: Graph,
  memory: GraphMemory,
  { rows, blockBytes, explains }: ForwardOptions,
  { retrieved, prefix = "" }: { retrieved: NotedRetrieval[]; prefix?: string },
): MemoryReader {
  const { bank, config, type, outside, attention } = memory;
  return {
    bank: bankInputs(graph, bank, { rows, type, prefix }),
    missingChunks: config.missingChunks,
    blockBytes,
    distanceTokens: config.positions?.kind === "distance" ? config.positions.tokens : undefined,
    retrieve(queries) {
      const found = retrieveForGroups(
        queries,
        bank.heads,
        (queries) => retrieve(queries, bank, config, { outside, blockBytes, prefix }),
      );
      retrieved.push(found);
      return found;
    },
    ...(attention && {
      attend: (query: Value, found: Retrieved, options) =>
        attendToChunks(query, found, {
          ...options,
          chunkTokens: config.chunkTokens,
          // The weights of a block are bound at once; of others a block is at most half of what a GPU binds.
          ...(attention === "kernels" && { blockBytes: 2 * blockBytes }),
        }),
    }),
    ...(explains && {
      hide: (found: Retrieved) => hiddenChunkBias(found, bank),
      note: (shares: MemoryShares) => void retrieved.push({ ...retrieved.pop()!, shares }),
    }),
  };
}

/** Retrieval for queries [B, H, T, D] of which H / Hkv neighbours share a head of the bank: to it they are queries like others. */
function retrieveForGroups(
  queries: Value,
  keyHeads: number,
  retrieve: (queries: Value) => Retrieved,
): Retrieved {
  const { B, H, T, D } = dims(queries, "B H T D");
  if (H === keyHeads) return retrieve(queries);
  const { ids, scores } = retrieve(reshape(queries, [B, keyHeads, H / keyHeads * T, D]));
  const shape = [B, H, T, ids.shape[3]];
  return { ids: reshape(ids, shape), scores: reshape(scores, shape) };
}
