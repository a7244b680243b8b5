/**
 * Retrieval as nodes of a graph (specification section 7): scores of all chunks, the n best, their tokens.
 */
import { evenRanges } from "../graph/even_ranges.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { dims } from "../graph/graph.ts";
import { add } from "../graph/ops/add.ts";
import { concat } from "../graph/ops/concat.ts";
import { gather } from "../graph/ops/gather.ts";
import { expand } from "../graph/ops/expand.ts";
import { greaterOrEqual } from "../graph/ops/greater_or_equal.ts";
import { matmul } from "../graph/ops/matmul.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { slice } from "../graph/ops/slice.ts";
import { topK } from "../graph/ops/top_k.ts";
import { where } from "../graph/ops/where.ts";
import type { ElementType } from "../tensor.ts";
import type { BankShape } from "./bank_shape.ts";

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

/** Declares the bank as inputs of a graph that reads it for batches of B rows; `prefix` tells several banks apart. */
export function bankInputs(
  graph: Graph,
  bank: BankShape,
  options: { rows: number; type: ElementType; prefix?: string },
): BankInputs {
  const { prefix = "" } = options;
  const { banks: G, heads: H, headDim: D, capacityChunks: P, chunkTokens: c } = bank;
  return {
    keys: graph.input(prefix + bankInputNames.keys, [G * H * P, c * D], options.type),
    values: graph.input(prefix + bankInputNames.values, [G * H * P, c * D], options.type),
    active: graph.input(prefix + bankInputNames.active, [options.rows, 1, 1, 1]),
  };
}

/** Name of the input that says which slots are hidden from which row. */
export const hiddenInputName = "memory.hidden";

/**
 * Bias on the scores of retrieved chunks so that those of hidden slots do not count [B, H, T, n]; declares an input
 * [B, P] with 0 or `emptyScore` for each row and slot.
 */
export function hiddenChunkBias({ ids }: Retrieved, bank: BankShape): Value {
  const { graph } = ids;
  const { B, H, T, n } = dims(ids, "B H T n");
  const { banks: G, heads, capacityChunks: P } = bank;
  const hidden = graph.input(hiddenInputName, [B, P]);
  // From the bank's rows, (g heads + h) P + slot, to those of the input, b P + slot; neighbouring queries share a head of keys.
  const offsets = Int32Array.from({ length: B * H }, (_, i) => {
    const b = Math.floor(i / H), head = Math.floor((i % H) * heads / H);
    return (b - ((G === 1 ? 0 : b) * heads + head)) * P;
  });
  const rows = add(ids, graph.int32(offsets, [B, H, 1, 1]));
  return reshape(gather(reshape(hidden, [B * P, 1]), rows), [B, H, T, n]);
}

/** Bias on the scores of retrieved chunks so that missing ones do not count: 0 or `emptyScore` [B, H, T, n]. */
export function emptyChunkBias({ scores }: Retrieved): Value {
  const { graph } = scores;
  const stored = greaterOrEqual(scores, graph.scalar(emptyScore / 2));
  return where(stored, graph.scalar(0), graph.scalar(emptyScore));
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
  options: { retrievedChunks: number; blockBytes: number; prefix?: string },
): Retrieved {
  const { graph } = queries;
  const { B, H, T, D } = dims(queries, "B H T D");
  const { banks: G, capacityChunks: P } = bank;
  const meanKeys = graph.input((options.prefix ?? "") + bankInputNames.meanKeys, [G, H, D + 1, P]);
  const ones = expand(graph.constant(Float32Array.of(1), [1, 1, 1, 1]), [B, H, T, 1]);
  const extended = concat([queries, ones], 3); // [B, H, T, D+1]

  // TopK says int64, for which WebGPU has hardly a kernel: looking the ids up makes them int32 there.
  const numbers = graph.int32(Int32Array.from({ length: P }, (_, slot) => slot), [P]);
  const search = (rows: Value, keys: Value): Retrieved => {
    const { values, ids } = topK(matmul(rows, keys), options.retrievedChunks);
    return { ids: gather(numbers, ids), scores: values };
  };
  const join = (parts: readonly Retrieved[], axis: number): Retrieved => ({
    ids: concat(parts.map(({ ids }) => ids), axis),
    scores: concat(parts.map(({ scores }) => scores), axis),
  });
  // In blocks, one head comes after the other: many queries against the same keys make an efficient matrix product.
  const largestBytes = Math.max(options.blockBytes, 32 * 2 ** 20);
  const queriesAtOnce = Math.min(
    T,
    Math.max(
      Math.min(256, Math.ceil(largestBytes / (4 * P))),
      Math.floor(options.blockBytes / (4 * P)),
    ),
  );
  const one = (x: Value, b: number, h: number) =>
    slice(slice(x, { axis: 0, start: b, end: b + 1 }), { axis: 1, start: h, end: h + 1 });
  const searchHead = (b: number, h: number) => {
    const rows = one(extended, b, h), keys = one(meanKeys, G === 1 ? 0 : b, h);
    const parts = evenRanges(T, queriesAtOnce).map((range) => slice(rows, { axis: 2, ...range }));
    return join(parts.map((part) => search(part, keys)), 2);
  };
  const numbersTo = (size: number) => Array.from({ length: size }, (_, i) => i);
  const fits = 4 * B * H * T * P <= options.blockBytes;
  const { ids, scores } = fits
    ? search(extended, meanKeys)
    : join(numbersTo(B).map((b) => join(numbersTo(H).map((h) => searchHead(b, h)), 1)), 0);
  const firstRow = Int32Array.from({ length: G * H }, (_, bankAndHead) => bankAndHead * P);
  return {
    ids: add(ids, graph.int32(firstRow, [G, H, 1, 1])),
    scores,
  };
}
