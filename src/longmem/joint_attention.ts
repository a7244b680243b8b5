import type { AttentionHeads, BatchOptions, Positions } from "../backbone/architecture.ts";
import type { Value } from "../graph/graph.ts";
import { add } from "../graph/ops/add.ts";
import { memoryAttention } from "../graph/ops/memory_attention.ts";
import { mul } from "../graph/ops/mul.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { sigmoid } from "../graph/ops/sigmoid.ts";
import { sub } from "../graph/ops/sub.ts";
import { type BankInputs, emptyChunkBias, type Retrieved } from "../memory/memory_graph.ts";

/** Reads the memory bank for the layer Mx. */
export interface MemoryReader {
  readonly bank: BankInputs;
  /** What to do where fewer chunks are stored than asked for. */
  readonly missingChunks: "zero-slot" | "masked";
  readonly blockBytes: number;
  /** Distance before each query, in tokens, at which all retrieved tokens stand; absent: none, they meet it as they are. */
  readonly distanceTokens?: number | undefined;
  /** Finds chunks for unscaled queries [B, H, T, D]; several heads of queries may share one of keys. */
  retrieve(queries: Value): Retrieved;
}

/** Queries as they meet retrieved keys, which are not turned to any position: unscaled, and scaled. */
export function memoryQueries(
  { query, scaledQuery }: Pick<AttentionHeads, "query" | "scaledQuery">,
  positions: Pick<Positions, "turnBy">,
  distanceTokens: number | undefined,
): { query: Value; scaledQuery: Value } {
  if (distanceTokens === undefined || !positions.turnBy) return { query, scaledQuery };
  const turned = (x: Value) => positions.turnBy!(x, distanceTokens);
  return { query: turned(query), scaledQuery: turned(scaledQuery) };
}

/**
 * Joint attention (specification section 7): o = (1 - g) local + g memory, g = sigmoid(memory_bias) per head; two
 * separate softmaxes. A row whose bank is empty gets its local attention alone, and its gate no gradient.
 *
 * @param local Local attention [B, H, T, D].
 * @param heads Whose queries [B, H, T, D] read the memory.
 * @param memoryBias [H]
 * @param memory With the positions of the batch.
 * @returns [B, H, T, D]
 */
export function jointAttention(
  local: Value,
  heads: Pick<AttentionHeads, "query" | "scaledQuery">,
  memoryBias: Value,
  memory: MemoryReader & Pick<BatchOptions, "positions">,
): Value {
  const { graph } = local;
  const { bank, distanceTokens } = memory;
  const { query, scaledQuery } = memoryQueries(heads, memory.positions, distanceTokens);
  const retrieved = memory.retrieve(query);
  const chunkBias = memory.missingChunks === "masked" ? emptyChunkBias(retrieved) : undefined;
  const remembered = memoryAttention(scaledQuery, {
    ids: retrieved.ids,
    keys: bank.keys,
    values: bank.values,
    ...(chunkBias ? { chunkBias } : {}),
    blockBytes: memory.blockBytes,
  });
  const [, H] = local.shape;
  const gate = mul(reshape(sigmoid(memoryBias), [1, H, 1, 1]), bank.active); // [B, H, 1, 1]
  return add(mul(sub(graph.scalar(1), gate), local), mul(gate, remembered));
}
