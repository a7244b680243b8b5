import { takeKeys } from "../graph/attention_block.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { greaterOrEqual } from "../graph/ops/greater_or_equal.ts";
import { add } from "../graph/ops/add.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { where } from "../graph/ops/where.ts";
import type { BatchSizes, Positions } from "./architecture.ts";
import { cachedInputNames, hidden, paddedInputNames } from "./attention_bias.ts";

/** Biases of causal attention whose scores have no position term: 0 for the visible positions, `hidden` for the rest. */
export function causalBias(
  graph: Graph,
  batch: BatchSizes,
): Pick<Positions, "block"> {
  const { rows: B, contextTokens: T, padded, cachedTokens: C } = batch;
  if (C !== undefined) return { block: cachedBias(graph, B, C) };
  const ofSegment = segmentBias(graph);
  if (!padded) return { block: ofSegment };
  const keyBias = reshape(graph.input(paddedInputNames.keyBias, [B, T]), [B, 1, 1, T]);
  return {
    block: (block, visibility) => add(ofSegment(block, visibility), takeKeys(keyBias, block, 3)),
  };
}

/** Queries of a segment to its keys: the bias is [1, 1, t1-t0, t1]. */
function segmentBias(graph: Graph): Positions["block"] {
  const known = new Map<string, Value>();
  return ({ t0, t1 }, { windowTokens = Infinity } = {}) => {
    const key = `${t0},${t1},${windowTokens}`;
    const found = known.get(key);
    if (found) return found;
    const data = new Float32Array((t1 - t0) * t1).fill(hidden);
    for (let t = t0; t < t1; t++) {
      const first = Math.max(0, t - windowTokens + 1);
      data.fill(0, (t - t0) * t1 + first, (t - t0) * t1 + t + 1);
    }
    const bias = graph.constant(data, [1, 1, t1 - t0, t1]);
    known.set(key, bias);
    return bias;
  };
}

/** One query a row to C cached keys and, last, its own: the bias is [B, 1, 1, C+1]. */
function cachedBias(graph: Graph, B: number, C: number): Positions["block"] {
  const input = (name: string) => reshape(graph.input(name, [B, C + 1]), [B, 1, 1, C + 1]);
  // Both, as places that hold no key are told by their distance.
  const distances = input(cachedInputNames.distances), keyBias = input(cachedInputNames.keyBias);
  return (_block, { windowTokens } = {}) => {
    const farthest = windowTokens === undefined ? hidden / 2 : 1 - windowTokens;
    return where(greaterOrEqual(distances, graph.scalar(farthest)), keyBias, graph.scalar(hidden));
  };
}

/** The positions of a batch's tokens int32 [B, T] as an input of the graph; undefined where every row has 0 .. T-1. */
export function positionIds(
  graph: Graph,
  { rows: B, contextTokens: T, padded, cachedTokens }: BatchSizes,
): Value | undefined {
  const name = cachedInputNames.position;
  const known = graph.inputs.get(name);
  if (known) return known;
  return cachedTokens !== undefined || padded ? graph.input(name, [B, T], "int32") : undefined;
}
