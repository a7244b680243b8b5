/**
 * Retrieval as nodes of a graph (specification section 7): scores of all chunks, the n best, their tokens.
 */
import type { Graph, Value } from "../graph/graph.ts";
import { dims } from "../graph/graph.ts";
import { add } from "../graph/ops/add.ts";
import { attentionBlocks, joinBlocks } from "../graph/ops/attention.ts";
import { concat } from "../graph/ops/concat.ts";
import { gather } from "../graph/ops/gather.ts";
import { expand } from "../graph/ops/expand.ts";
import { matmul } from "../graph/ops/matmul.ts";
import { slice } from "../graph/ops/slice.ts";
import { topK } from "../graph/ops/top_k.ts";
import type { ElementType } from "../tensor.ts";
import type { BankShape } from "./config.ts";

/** Score of an empty slot: below every real score, and finite so that 0 times it is 0. */
export const emptyScore = -1e30;

/** Where retrieved tokens come from: the bank as inputs of a graph. */
export interface BankInputs {
  /** Keys of all banks and heads, one chunk a row: [G*H*P, c*D]. */
  readonly keys: Value;
  /** Values, likewise. */
  readonly values: Value;
  /** 1 where the row has anything to retrieve, else 0: [B, 1, 1, 1]. */
  readonly active: Value;
}

/** Names of the bank's inputs. */
export const bankInputNames = {
  keys: "memory.keys",
  values: "memory.values",
  meanKeys: "memory.meanKeys",
  active: "memory.active",
} as const;

/** Declares the bank as inputs of a graph that reads it for batches of B rows. */
export function bankInputs(
  graph: Graph,
  bank: BankShape,
  options: { rows: number; type: ElementType },
): BankInputs {
  const { banks: G, heads: H, headDim: D, capacityChunks: P, chunkTokens: c } = bank;
  return {
    keys: graph.input(bankInputNames.keys, [G * H * P, c * D], options.type),
    values: graph.input(bankInputNames.values, [G * H * P, c * D], options.type),
    active: graph.input(bankInputNames.active, [options.rows, 1, 1, 1]),
  };
}

/** The n best chunks of every query. */
export interface Retrieved {
  /** Rows of the bank's keys and values, int32 [B, H, T, n], best first. */
  readonly ids: Value;
  /** Inner products of the query with the mean keys [B, H, T, n]; `emptyScore` or less where no chunk is left. */
  readonly scores: Value;
}

/**
 * Exact retrieval: for every query [B, H, T, D] the n chunks of its bank with the largest inner product with their
 * mean keys. The mean keys [G, H, D+1, P] carry one row more, 0 for stored chunks and `emptyScore` for empty slots, which meets a
 * query component of 1: empty slots need no masking pass. Scores exist for one block of queries at a time.
 */
export function retrieveExactly(
  queries: Value,
  bank: BankShape,
  options: { retrievedChunks: number; blockBytes: number },
): Retrieved {
  const { graph } = queries;
  const { B, H, T, D } = dims(queries, "B H T D");
  const { banks: G, capacityChunks: P } = bank;
  const meanKeys = graph.input(bankInputNames.meanKeys, [G, H, D + 1, P]);
  const ones = expand(graph.constant(Float32Array.of(1), [1, 1, 1, 1]), [B, H, T, 1]);
  const extended = concat([queries, ones], 3); // [B, H, T, D+1]

  const blocks = attentionBlocks({
    B,
    H,
    T: Math.max(T, 1),
    blockBytes: options.blockBytes * T / P,
  });
  const found = blocks.map(({ b0, b1, t0, t1 }) => {
    const block = slice(slice(extended, { axis: 0, start: b0, end: b1 }), {
      axis: 2,
      start: t0,
      end: t1,
    });
    const keys = G === 1 ? meanKeys : slice(meanKeys, { axis: 0, start: b0, end: b1 });
    return topK(matmul(block, keys), options.retrievedChunks); // [b, H, t, n]
  });
  // TopK says int64, for which WebGPU has hardly a kernel: looking the ids up makes them int32 there.
  const numbers = graph.int32(Int32Array.from({ length: P }, (_, slot) => slot), [P]);
  const slots = joinBlocks(blocks, found.map(({ ids }) => gather(numbers, ids)));
  const firstRow = Int32Array.from({ length: G * H }, (_, bankAndHead) => bankAndHead * P);
  return {
    ids: add(slots, graph.int32(firstRow, [G, H, 1, 1])),
    scores: joinBlocks(blocks, found.map(({ values }) => values)),
  };
}
