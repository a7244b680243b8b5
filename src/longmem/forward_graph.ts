/**
 * The forward passes that evaluations and programs run, as graphs.
 */
import type { BatchOptions, Head, Weights } from "../backbone/architecture.ts";
import { architectureOf, bankHeads } from "../backbone/architectures.ts";
import {
  backboneForward,
  backbonePositions,
  backboneWeights,
  blockName,
  weightInputs,
} from "../backbone/backbone_graph.ts";
import { localAttention } from "../backbone/heads.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { dims, Graph, type Value } from "../graph/graph.ts";
import type { DropoutMask } from "../graph/ops/dropout.ts";
import { crossEntropy, type LogitBlock, logitBlocks } from "../graph/ops/cross_entropy.ts";
import { linear } from "../graph/ops/linear.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { slice } from "../graph/ops/slice.ts";
import type { BankShape } from "../memory/bank_shape.ts";
import type { MemoryConfig } from "../memory/config.ts";
import { bankInputs, type Retrieved } from "../memory/memory_graph.ts";
import { retrieve } from "../memory/retriever.ts";
import type { ElementType } from "../tensor.ts";
import { blockMemoryAttention } from "./block_memory_graph.ts";
import { jointAttention, type MemoryReader } from "./joint_attention.ts";
import {
  gateName,
  type MemorizingShape,
  memorizingTensorShapes,
} from "./memorizing_transformer.ts";
import { type SideNetShape, sideNetTensorShapes } from "./sidenet_shape.ts";
import { sideNetForward, sideNetLayerName } from "./sidenet_graph.ts";

/** Prefix of the SideNet's weights among the inputs of a graph. */
export const sideNetPrefix = "sidenet.";

/** Prefix of a Memorizing Transformer's trained weights among the inputs of a graph. */
export const memorizingPrefix = "memorizing.";

/** Prefix of the cached keys and values of a segment among the inputs of a graph. */
export const cachePrefix = "cache.";

/** The memory as a graph reads it. */
export interface GraphMemory {
  readonly bank: BankShape;
  readonly config: MemoryConfig;
  /** Element type in which the bank's keys and values lie on the device. */
  readonly type: ElementType;
  /** Whether chunks are found outside of the graph, as {@linkcode followBank} decides; not for several banks. */
  readonly outside: boolean;
}

/** How the blocks of a backbone read memories of their own: an InfLLM-like baseline, see {@linkcode blockMemoryAttention}. */
export interface BlockMemory {
  /** Distance before the query, in tokens, at which all retrieved tokens stand. */
  readonly distanceTokens: number;
}

/** Prefix of a bank's inputs in a graph of several: one for each block. */
export function blockPrefix(block: number): string {
  return `block.${block}.`;
}

/** What a graph computes and for which batches. */
export interface ForwardOptions {
  readonly backbone: BackboneShape;
  /** Absent: the backbone alone. */
  readonly sideNet?: SideNetShape;
  /** The upper blocks are trained ones; not together with a SideNet. */
  readonly memorizing?: MemorizingShape;
  /** Absent: a SideNet, or upper blocks, without memory. */
  readonly memory?: GraphMemory;
  /** Memories of the backbone's blocks, one for each, all alike; absent: the blocks see the segment alone. */
  readonly blockMemory?: GraphMemory & BlockMemory;
  readonly rows: number;
  readonly contextTokens: number;
  /** Whether pad tokens may stand anywhere; otherwise only at the end of rows, where nothing sees them. */
  readonly padded: boolean;
  /**
   * Tokens C whose keys and values a {@linkcode SegmentCache} has room for: the one token of each row follows those in it. Absent:
   * rows begin with their segments. Not together with memories of the blocks.
   */
  readonly cachedTokens?: number;
  readonly blockBytes: number;
  /** Tokens at the end of each row whose features the head reads; absent: all. */
  readonly scoredTokens?: number;
  /** Dropout of SideNet layers, or of trained blocks, in training. */
  readonly dropout?: (
    graph: Graph,
    layer: number,
  ) => { attention: DropoutMask; mlp: DropoutMask } | undefined;
}

/** Values of a forward pass. */
export interface Forward {
  readonly graph: Graph;
  /** Input "tokens", int32 [B, T]. */
  readonly tokens: Value;
  /** The frozen head. */
  readonly head: Head;
  /** The SideNet's weights, or those of the trained blocks. */
  readonly sideNetWeights: Weights;
  /** Backbone hidden states and projections. */
  readonly backbone: ReturnType<typeof backboneForward>;
  /** SideNet states, where there is one. */
  readonly sideNet: ReturnType<typeof sideNetForward> | undefined;
  /** Keys and values [N, E] that are to be cached, for each bank of the graph. */
  readonly cached: readonly { readonly k: Value; readonly v: Value }[];
  /** The chunks that queries find, for each bank of the graph. */
  readonly retrieved: readonly Retrieved[];
  /** What the head reads, of the scored tokens of each row [n, E]. */
  readonly features: Value;
}

/** Builds the values of a forward pass; the caller chooses outputs. */
export function buildForward(options: ForwardOptions): Forward {
  const { backbone, sideNet, rows: B, contextTokens: T, blockBytes, cachedTokens } = options;
  const graph = new Graph();
  const tokens = graph.input("tokens", [B, T], "int32");
  const sizes = { rows: B, contextTokens: T, padded: options.padded };
  const batch = {
    rows: B,
    contextTokens: T,
    blockBytes,
    ...(cachedTokens === undefined ? { positions: backbonePositions(graph, backbone, sizes) } : {
      positions: backbonePositions(graph, backbone, { ...sizes, cachedTokens }),
      cache: cacheInputs(graph, { ...options, cachedTokens }),
    }),
  };
  const frozen = backboneWeights(graph, backbone);
  if (options.memorizing) {
    return memorizingForward(tokens, frozen, batch, { ...options, shape: options.memorizing });
  }
  const trained = weightInputs(
    graph,
    sideNet ? sideNetTensorShapes(sideNet, backbone) : new Map(),
    sideNetPrefix,
  );
  const { blockMemory } = options;
  const retrieved: Retrieved[] = [];
  const readerOf = (memory: GraphMemory, prefix?: string) =>
    memoryReader(graph, memory, options, { retrieved, ...(prefix !== undefined && { prefix }) });
  const base = backboneForward(tokens, frozen, backbone, {
    ...batch,
    ...(blockMemory
      ? {
        attention: (i, heads) =>
          blockMemoryAttention(heads, readerOf(blockMemory, blockPrefix(i)), {
            ...batch,
            distanceTokens: blockMemory.distanceTokens,
          }),
      }
      : {}),
  });
  const common = {
    graph,
    tokens,
    head: architectureOf(backbone).head(frozen, backbone),
    sideNetWeights: trained,
    backbone: base,
    retrieved,
  };
  if (!sideNet) {
    const features = scoredFeatures(base.features, options);
    const cached = blockMemory ? base.projections : [];
    return { ...common, sideNet: undefined, cached, features };
  }
  const { memory, dropout } = options;
  const side = sideNetForward(base, trained, { ...sideNet, backbone }, {
    ...batch,
    ...(memory ? { memory: readerOf(memory) } : {}),
    ...(dropout ? { dropout: (layer) => dropout(graph, layer) } : {}),
  });
  return {
    ...common,
    sideNet: side,
    cached: memory ? [base.projections[sideNet.memoryBlock]] : [],
    features: scoredFeatures(side.features, options),
  };
}

/** A Memorizing Transformer: frozen blocks below, trained ones above, of which the lowest reads what it has written. */
function memorizingForward(
  tokens: Value,
  frozen: Weights,
  batch: BatchOptions,
  options: ForwardOptions & { shape: MemorizingShape },
): Forward {
  const { graph } = tokens;
  const { backbone, shape, memory, dropout } = options;
  const shapes = memorizingTensorShapes(shape, backbone);
  const trained = weightInputs(graph, shapes, memorizingPrefix);
  const masks = Array.from(
    { length: backbone.layers },
    (_, i) => i >= shape.memoryBlock ? dropout?.(graph, i) : undefined,
  );
  const retrieved: Retrieved[] = [];
  const base = backboneForward(
    tokens,
    (name) => shapes.has(name) ? trained(name) : frozen(name),
    backbone,
    {
      ...batch,
      attention(i, heads) {
        const local = localAttention(heads, batch, {
          layer: blockName(i),
          ...(masks[i] ? { mask: masks[i].attention } : {}),
        });
        return i === shape.memoryBlock && memory
          ? jointAttention(
            local,
            heads,
            trained(gateName(shape, backbone)),
            { ...memoryReader(graph, memory, options, { retrieved }), ...batch },
          )
          : local;
      },
      mlpDropout: (i) => masks[i]?.mlp,
    },
  );
  return {
    graph,
    tokens,
    head: architectureOf(backbone).head(frozen, backbone),
    sideNetWeights: trained,
    backbone: base,
    sideNet: undefined,
    retrieved,
    cached: memory ? [base.projections[shape.memoryBlock]] : [],
    features: scoredFeatures(base.features, options),
  };
}

/** Names of a layer's keys and values. */
function keyNames(layer: string): { keys: string; values: string } {
  return { keys: `${layer}.keys`, values: `${layer}.values` };
}

/** Declares cached keys and values of the segment as inputs of a graph, those of a layer when it asks. */
function cacheInputs(
  graph: Graph,
  { backbone, rows: B, cachedTokens: C }:
    & Pick<ForwardOptions, "backbone" | "rows">
    & { cachedTokens: number },
): (layer: string) => { k: Value; v: Value } {
  const { heads, headDim } = bankHeads(backbone);
  return (layer) => {
    const { keys, values } = keyNames(layer);
    const shape = [B, heads, C, headDim];
    return {
      k: graph.input(cachePrefix + keys, shape),
      v: graph.input(cachePrefix + values, shape),
    };
  };
}

/** Keys and values [B, Hkv, T, D] of all layers, for a {@linkcode SegmentCache}, by names. */
export function segmentKeys({ backbone, sideNet }: Forward): Map<string, Value> {
  const found = new Map<string, Value>();
  const add = (layer: string, { k, v }: { k: Value; v: Value }) => {
    const { keys, values } = keyNames(layer);
    found.set(keys, k).set(values, v);
  };
  backbone.heads.forEach((heads, i) => add(blockName(i), heads));
  sideNet?.heads.forEach((heads, i) => add(sideNetLayerName(i), heads));
  return found;
}

/** Features [N, E] of the tokens at the end of each row. */
function scoredFeatures(
  features: Value,
  { rows: B, contextTokens: T, scoredTokens = T }: ForwardOptions,
): Value {
  if (scoredTokens === T) return features;
  const [, E] = features.shape;
  const rows = reshape(features, [B, T, E]);
  return reshape(slice(rows, { axis: 1, start: T - scoredTokens, end: T }), [B * scoredTokens, E]);
}

/** @param noted Takes note of what is retrieved. */
function memoryReader(
  graph: Graph,
  memory: GraphMemory,
  { rows, blockBytes }: ForwardOptions,
  { retrieved, prefix = "" }: { retrieved: Retrieved[]; prefix?: string },
): MemoryReader {
  const { bank, config, type, outside } = memory;
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

/** Logits of the frozen head [N, V]. */
export function headLogits({ features, head }: Forward): Value {
  return linear(features, head.weight, head.bias);
}

/** The same, in blocks of rows [n, V]. */
export function headBlocks(
  { features, head }: Forward,
  { blockBytes }: { blockBytes: number },
): LogitBlock[] {
  return logitBlocks(features, head, 2 * blockBytes);
}

/** Negative log-likelihoods of the input "targets", int32 [B, T] of scored tokens, under the head: [n], in nats. */
export function headLoss(
  { graph, tokens, features, head }: Forward,
  options: { blocks: readonly LogitBlock[]; frozen: boolean },
): Value {
  const [B] = tokens.shape, [n] = features.shape;
  const targets = graph.input("targets", [B, n / B], "int32");
  return crossEntropy(features, { ...head, targets: reshape(targets, [n]) }, options);
}
