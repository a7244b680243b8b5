/**
 * Networks of a LongMem: each reads a segment, and perhaps a memory. Each is a file in `networks/` and a line in `networks.ts`.
 */
import type { BatchOptions, Head, Weights } from "../backbone/architecture.ts";
import type { backboneForward } from "../backbone/backbone_graph.ts";
import type { BackboneCheckpoint, BackboneShape, FrozenType } from "../backbone/shape.ts";
import { dims, type Graph, type Value } from "../graph/graph.ts";
import type { DropoutMask } from "../graph/ops/dropout.ts";
import { reshape } from "../graph/ops/reshape.ts";
import type { BankShape } from "../memory/bank_shape.ts";
import { attendToChunks } from "../memory/chunk_attention.ts";
import type { MemoryConfig } from "../memory/config.ts";
import { bankInputs, hiddenChunkBias, type Retrieved } from "../memory/memory_graph.ts";
import { retrieve } from "../memory/retriever.ts";
import type { ElementType, TensorMap } from "../tensor.ts";
import type { MemoryReader, MemoryShares } from "./joint_attention.ts";
import type { MemorizingCheckpoint, MemorizingShape } from "./memorizing_transformer.ts";
import type { sideNetForward } from "./sidenet_graph.ts";
import type { SideNetCheckpoint, SideNetShape } from "./sidenet_shape.ts";

/**
 * Which part of the model answers: the backbone alone, the SideNet without memory, or with it. The others are baselines:
 * the backbone alone, whose blocks read memories of their own, the backbone with trained blocks, one of which reads one, and
 * the backbone alone, whose last hidden states are remembered beside it.
 */
export type Network =
  | "backbone"
  | "sidenet"
  | "longmem"
  | "infllm"
  | "memorizing-transformer"
  | "knn-lm";

/** Parts of a LongMem. */
export interface LongMemParts {
  readonly backbone: BackboneCheckpoint;
  /** Absent: the backbone alone can be asked. */
  readonly sideNet?: SideNetCheckpoint;
  readonly memory?: MemoryConfig;
  /** The memory is that of the backbone's blocks, one for each; not together with a SideNet. */
  readonly blockMemory?: BlockMemory;
  /** The trained part of a Memorizing Transformer, whose memory it is; not together with a SideNet. */
  readonly memorizing?: MemorizingCheckpoint;
  /** The memory is one of the backbone's hidden states, in chunks of one token (kNN-LM); not together with a SideNet. */
  readonly stateMemory?: true;
  /** Tokens of each row, the last, that the memory does not hold yet, as a sliding window still shows them (default 0). */
  readonly heldTokens?: number;
}

/** How the blocks of a backbone read memories of their own: an InfLLM-like baseline. */
export interface BlockMemory {
  /** Distance before the query, in tokens, at which all retrieved tokens stand. */
  readonly distanceTokens: number;
}

/** One network. */
export interface NetworkKind {
  readonly name: Network;
  /** Whether it reads a memory and writes to it. */
  readonly remembers: boolean;
  /** Whether a token can follow others by their cached keys and values. */
  readonly followsCache: boolean;
  /** The part that a model lacks to run it, as in "there is no SideNet"; undefined: nothing but perhaps a memory. */
  lacks(parts: LongMemParts): string | undefined;
  /** Blocks whose keys and values are remembered: one for each bank. */
  rememberedBlocks(parts: LongMemParts): number[];
  /** Heads of the remembered keys and values, and their sizes; absent: those of the backbone's keys. */
  bankHeads?(parts: LongMemParts): { heads: number; headDim: number };
  /** The part that training changes; undefined: there is none. */
  trained(parts: LongMemParts): TrainedPart | undefined;
  forward(pass: NetworkPass): NetworkStates;
}

/** The part of a model that learns. */
export interface TrainedPart {
  /** The part: the others stay as they are. */
  readonly part: "backbone" | "sideNet" | "memorizing";
  /** Prefix of its weights among the inputs of a graph. */
  readonly prefix: string;
  /** As they start. */
  readonly weights: TensorMap;
  /** Numbers of the layers that have dropout. */
  readonly layers: readonly number[];
}

/** The memory as a graph reads it. */
export interface GraphMemory {
  readonly bank: BankShape;
  readonly config: MemoryConfig;
  /** Element type in which the bank's keys and values lie on the device. */
  readonly type: ElementType;
  /** Whether chunks are found outside of the graph, as `followBank` decides; not for several banks. */
  readonly outside: boolean;
  /** Whether queries attend to these chunks outside of the graph, too. */
  readonly attendsOutside?: boolean;
}

/** Outputs of a graph, and its batches. */
export interface ForwardOptions {
  /** Absent: the network that all that is given makes. */
  readonly network?: Network;
  readonly backbone: BackboneShape;
  /** Type in which the backbone's matrices are fed (default `float32`). */
  readonly frozenType?: FrozenType | undefined;
  readonly sideNet?: SideNetShape;
  /** The upper blocks are trained ones. */
  readonly memorizing?: MemorizingShape;
  /** Blocks that have memories of their own, all alike. */
  readonly blockMemory?: BlockMemory;
  /** The memory holds hidden states. */
  readonly stateMemory?: true;
  /** Absent: layers that would read it see the segment alone. */
  readonly memory?: GraphMemory;
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
  /** Records the reads from the memory, some of whose chunks may be hidden from a row. Not of blocks with memories of their own. */
  readonly explains?: boolean;
  /** Tokens at the end of each row whose features the head reads; absent: all. */
  readonly scoredTokens?: number;
  /** Dropout of the layers that are trained. */
  readonly dropout?: (
    graph: Graph,
    layer: number,
  ) => { attention: DropoutMask; mlp: DropoutMask } | undefined;
}

/** Inputs from which a network is built. */
export interface NetworkPass {
  readonly graph: Graph;
  /** int32 [B, T] */
  readonly tokens: Value;
  /** The backbone's weights. */
  readonly frozen: Weights;
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
  readonly backbone: ReturnType<typeof backboneForward>;
  /** SideNet states, where there is one. */
  readonly sideNet?: ReturnType<typeof sideNetForward>;
  /** Keys and values [N, Hkv D] that are to be remembered, for each bank of the graph. */
  readonly cached: readonly { readonly k: Value; readonly v: Value }[];
  /** The chunks that queries find, for each bank of the graph. */
  readonly retrieved: readonly NotedRetrieval[];
  /** Input of the head, for all tokens [N, E]. */
  readonly features: Value;
}

/** Values of a forward pass; the features are those of the scored tokens of each row [n, E]. */
export interface Forward extends NetworkStates {
  readonly graph: Graph;
  /** Input "tokens", int32 [B, T]. */
  readonly tokens: Value;
  /** The frozen head. */
  readonly head: Head;
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
  const { bank, config, type, outside, attendsOutside } = memory;
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
    ...(attendsOutside && !explains && {
      attend(query: Value, found: Retrieved) {
        const { B, H, T } = dims(query, "B H T D");
        // The weights of the retrieved tokens are bound at once; a block is at most half of what a GPU binds.
        const fits = 4 * B * H * T * config.retrievedTokens <= 2 * blockBytes;
        return fits ? attendToChunks(query, found, config) : undefined;
      },
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
