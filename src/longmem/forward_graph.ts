/**
 * The forward passes that evaluations and programs run, as graphs.
 */
import { architectureOf, bankHeads } from "../backbone/architectures.ts";
import {
  backbonePositions,
  backboneWeights,
  blockName,
  weightInputs,
} from "../backbone/backbone_graph.ts";
import { Graph, type Value } from "../graph/graph.ts";
import {
  crossEntropy,
  headLogits as logitsOf,
  type LogitBlock,
  logitBlocks,
} from "../graph/ops/cross_entropy.ts";
import { mul } from "../graph/ops/mul.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { slice } from "../graph/ops/slice.ts";
import type { Forward, ForwardOptions } from "./network.ts";
import { networks } from "./networks.ts";

/** Prefix of the cached keys and values of a segment among the inputs of a graph. */
export const cachePrefix = "cache.";

/** Builds the values of a forward pass; the caller chooses outputs. */
export function buildForward(options: ForwardOptions): Forward {
  const { network, backbone, part, rows: B, contextTokens: T, blockBytes, cachedTokens } = options;
  const graph = new Graph();
  const tokens = graph.input("tokens", [B, T], "int32");
  const sizes = { rows: B, contextTokens: T, padded: options.padded };
  const batch = {
    rows: B,
    contextTokens: T,
    blockBytes,
    fusedQueries: options.fusedQueries,
    ...(cachedTokens === undefined ? { positions: backbonePositions(graph, backbone, sizes) } : {
      positions: backbonePositions(graph, backbone, { ...sizes, cachedTokens }),
      cache: cacheInputs(graph, { ...options, cachedTokens }),
    }),
  };
  const frozen = backboneWeights(graph, backbone, options.frozenType);
  const kind = networks.get(network), own = kind.part?.weights;
  const weights = weightInputs(graph, own?.tensors(part, backbone) ?? new Map(), own?.prefix ?? "");
  const states = kind.forward({ graph, tokens, frozen, part, weights, batch, options });
  const { featureScale, ...head } = architectureOf(backbone).head(frozen, backbone);
  const scored = scoredFeatures(states.features ?? states.backbone.features, options);
  const features = featureScale === undefined ? scored : mul(scored, graph.scalar(featureScale));
  return { ...states, graph, tokens, head, features };
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
export function segmentKeys({ backbone, layers = new Map() }: Forward): Map<string, Value> {
  const found = new Map<string, Value>();
  const add = (layer: string, { k, v }: { k: Value; v: Value }) => {
    const { keys, values } = keyNames(layer);
    found.set(keys, k).set(values, v);
  };
  backbone.heads.forEach((heads, i) => add(blockName(i), heads));
  for (const [name, heads] of layers) add(name, heads);
  return found;
}

/** Logits of the frozen head [N, V]. */
export function headLogits({ features, head }: Forward): Value {
  return logitsOf(features, head);
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
