import type { AttentionHeads } from "../backbone/architecture.ts";
import type { Value } from "../graph/graph.ts";
import { add } from "../graph/ops/add.ts";
import { greaterOrEqual } from "../graph/ops/greater_or_equal.ts";
import { memoryAttention } from "../graph/ops/memory_attention.ts";
import { mul } from "../graph/ops/mul.ts";
import { reduceSum } from "../graph/ops/reduce_sum.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { sigmoid } from "../graph/ops/sigmoid.ts";
import { sub } from "../graph/ops/sub.ts";
import { where } from "../graph/ops/where.ts";
import {
  type BankInputs,
  emptyChunkBias,
  emptyScore,
  type Retrieved,
} from "../memory/memory_graph.ts";

/** How much of a head's output is the memory's, and of which tokens. */
export interface MemoryShares {
  /** [B, H, T or 1, 1]; 0 where the bank is empty. */
  readonly gate: Value;
  /** Weights of the retrieved tokens within the memory's part [B, H, T, K], in the order of the retrieved chunks. */
  readonly weights: Value;
}

/** Reads the memory bank for the layer Mx. */
export interface MemoryReader {
  readonly bank: BankInputs;
  /** Treatment of missing chunks, where fewer are stored than requested. */
  readonly missingChunks: "zero-slot" | "masked";
  readonly blockBytes: number;
  /** Distance before each query, in tokens, at which all retrieved tokens stand; absent: none, they meet it as they are. */
  readonly distanceTokens?: number | undefined;
  /** Finds chunks for unscaled queries [B, H, T, D]; several heads of queries may share one of keys. */
  retrieve(queries: Value): Retrieved;
  /** Attention of scaled queries over what they have retrieved, outside the graph [B, H, T, D]; absent: in the graph. */
  attend?(
    scaledQuery: Value,
    retrieved: Retrieved,
    options: {
      /** Added to the scores of every token of a chunk [B, H, T, n]; undefined: as the memory has it. */
      readonly chunkBias: Value | undefined;
      /** Soft cap of the scores, before the bias; undefined: they have none. */
      readonly softCap: number | undefined;
      /** Takes note of the weights of the tokens [B, H, T, K]. */
      readonly note: ((weights: Value) => void) | undefined;
    },
  ): Value;
  /** Which retrieved chunks are hidden from a row, as `emptyScore` [B, H, T, n], 0 for others; absent: none. */
  hide?(retrieved: Retrieved): Value;
  /** Records the reads from the memory, where requested. */
  note?(shares: MemoryShares): void;
}

/** Heads whose queries read a memory. */
export type RetrievingHeads = Pick<
  AttentionHeads,
  "query" | "scaledQuery" | "turnBy" | "softCap"
>;

/** Queries as they meet retrieved keys, which are not turned to any position: unscaled, and scaled. */
export function memoryQueries(
  { query, scaledQuery, turnBy = (x) => x }: RetrievingHeads,
  distanceTokens: number | undefined,
): { query: Value; scaledQuery: Value } {
  const [turned, scaled] = [query, scaledQuery].map((x) => turnBy(x, distanceTokens));
  return { query: turned, scaledQuery: scaled };
}

/**
 * Joint attention (specification section 7): o = (1 - g) local + g memory, g = sigmoid(memory_bias) per head; two
 * separate softmaxes. A row whose bank is empty gets its local attention alone, and its gate no gradient.
 *
 * @param local Local attention [B, H, T, D].
 * @param heads Whose queries [B, H, T, D] read the memory.
 * @param memoryBias [H]
 * @returns [B, H, T, D]
 */
export function jointAttention(
  local: Value,
  heads: RetrievingHeads,
  memoryBias: Value,
  memory: MemoryReader,
): Value {
  const { graph } = local;
  const { bank, distanceTokens } = memory, { softCap } = heads;
  const { query, scaledQuery } = memoryQueries(heads, distanceTokens);
  const retrieved = memory.retrieve(query);
  const emptyBias = memory.missingChunks === "masked" ? emptyChunkBias(retrieved) : undefined;
  const hiddenBias = memory.hide?.(retrieved);
  const chunkBias = emptyBias && hiddenBias ? add(emptyBias, hiddenBias) : emptyBias ?? hiddenBias;
  let weights: Value | undefined;
  const note = memory.note && ((found: Value) => void (weights = found));
  const remembered = memory.attend?.(scaledQuery, retrieved, {
    chunkBias: hiddenBias && chunkBias,
    softCap,
    note,
  }) ??
    memoryAttention(scaledQuery, {
      ids: retrieved.ids,
      keys: bank.keys,
      values: bank.values,
      chunkBias,
      softCap,
      ...(note && { note }),
      blockBytes: memory.blockBytes,
    });
  const [, H] = local.shape;
  const open = mul(reshape(sigmoid(memoryBias), [1, H, 1, 1]), bank.active); // [B, H, 1, 1]
  const gate = hiddenBias ? mul(open, anyVisible(chunkBias!)) : open;
  memory.note?.({ gate, weights: weights! });
  return add(mul(sub(graph.scalar(1), gate), local), mul(gate, remembered));
}

/** 1 for queries that see any of their chunks, else 0 [B, H, T, 1]; of all hidden ones a softmax would take the mean. */
function anyVisible(chunkBias: Value): Value {
  const { graph } = chunkBias;
  const one = graph.scalar(1), none = graph.scalar(0);
  const visible = where(greaterOrEqual(chunkBias, graph.scalar(emptyScore / 2)), one, none);
  const count = reduceSum(visible, { axes: [-1], keep: true });
  return where(greaterOrEqual(count, graph.scalar(0.5)), one, none);
}
