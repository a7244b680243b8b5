/**
 * Retrieval as nodes of a graph (specification section 7): scores of all chunks, the n best, their tokens.
 */
import { type AxisRange, evenRanges } from "../graph/even_ranges.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { dims } from "../graph/graph.ts";
import { add } from "../graph/ops/add.ts";
import { concat } from "../graph/ops/concat.ts";
import { gather } from "../graph/ops/gather.ts";
import { dequantize } from "../graph/ops/dequantize.ts";
import { expand } from "../graph/ops/expand.ts";
import { greaterOrEqual } from "../graph/ops/greater_or_equal.ts";
import { matmul } from "../graph/ops/matmul.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { sliceRanges } from "../graph/ops/slice.ts";
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
  keyScales: "memory.keyScales",
  valueScales: "memory.valueScales",
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
  const table = (name: "keys" | "values", scales: "keyScales" | "valueScales") => {
    const numbers = graph.input(prefix + bankInputNames[name], [G * H * P, c * D], options.type);
    if (options.type !== "int8") return numbers;
    return dequantize(numbers, graph.input(prefix + bankInputNames[scales], [G * H * P, c]));
  };
  return {
    keys: table("keys", "keyScales"),
    values: table("values", "valueScales"),
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
 * query component of 1: empty slots need no masking pass. Scores exist for one block of queries and chunks at a time.
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

  const sizes = searchBlockSizes({ ...options, contextTokens: T, capacityChunks: P });
  const queryRanges = evenRanges(T, sizes.queries), keyRanges = evenRanges(P, sizes.chunks);
  const mostPlaces = Math.max(sizes.chunks, keyRanges.length * options.retrievedChunks);
  // TopK says int64, for which WebGPU has hardly a kernel: looking the ids up makes them int32 there.
  const numbers = graph.int32(Int32Array.from({ length: mostPlaces }, (_, i) => i), [mostPlaces]);
  const search = (rows: Value, keys: Value): Retrieved => {
    const { values, ids } = topK(matmul(rows, keys), options.retrievedChunks);
    return { ids: gather(numbers, ids), scores: values };
  };
  const join = (parts: readonly Retrieved[], axis: number): Retrieved => ({
    ids: concat(parts.map(({ ids }) => ids), axis),
    scores: concat(parts.map(({ scores }) => scores), axis),
  });
  const part = (x: Value, row: number, h: number, range: { axis: number } & AxisRange) =>
    sliceRanges(x, [
      { axis: 0, start: row, end: row + 1 },
      { axis: 1, start: h, end: h + 1 },
      range,
    ]);
  // In blocks, one head comes after the other: many queries against the same keys make an efficient matrix product.
  const searchHead = (b: number, h: number) => {
    const queryBlocks = queryRanges.map((range) => part(extended, b, h, { axis: 2, ...range }));
    const found = keyRanges.map((range) => {
      const keys = part(meanKeys, G === 1 ? 0 : b, h, { axis: 3, ...range });
      const start = graph.int32(Int32Array.of(range.start), [1]);
      return queryBlocks.map((queries) => {
        const { ids, scores } = search(queries, keys);
        return { ids: range.start === 0 ? ids : add(ids, start), scores };
      });
    });
    return join(
      queryBlocks.map((_, q) =>
        found.length === 1 ? found[0][q] : best(join(found.map((parts) => parts[q]), 3))
      ),
      2,
    );
  };
  /** The n best of the candidates [1, 1, Q, m]: of equal ones those that come first. */
  const best = ({ ids, scores }: Retrieved): Retrieved => {
    const [Q, m] = ids.shape.slice(2);
    const chosen = topK(scores, options.retrievedChunks);
    const firsts = graph.int32(Int32Array.from({ length: Q }, (_, q) => q * m), [Q, 1]);
    const places = add(gather(numbers, chosen.ids), firsts);
    return { ids: gather(reshape(ids, [Q * m]), places), scores: chosen.values };
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

/** Fewer queries of a head are not worth a pass over its keys. */
const leastQueries = 64;

/**
 * Queries and chunks of a head whose scores exist at once: `blockBytes` of scores or, for a matrix product to be efficient, up to 32 MiB.
 * All chunks meet the same queries, unless those would be too few: by 128 queries at once, searching 4 million chunks in parts, which
 * are copied, took a sixth of the time of searching them whole by 2.
 */
function searchBlockSizes(
  options: {
    contextTokens: number;
    capacityChunks: number;
    retrievedChunks: number;
    blockBytes: number;
  },
): { queries: number; chunks: number } {
  const { contextTokens: T, capacityChunks: P, retrievedChunks, blockBytes } = options;
  const mostScores = Math.max(blockBytes, 32 * 2 ** 20) / 4;
  const queries = Math.min(
    T,
    Math.max(Math.min(256, Math.ceil(mostScores / P)), Math.floor(blockBytes / (4 * P))),
  );
  if (queries >= Math.min(T, leastQueries)) return { queries, chunks: P };
  const atOnce = 2 * leastQueries;
  return {
    queries: Math.min(T, atOnce),
    // Even parts have half as many at the least, and none fewer than are retrieved.
    chunks: Math.max(Math.floor(mostScores / atOnce), 2 * retrievedChunks),
  };
}
