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
  /** Finds chunks for unscaled queries [B, H, T, D]. */
  retrieve(queries: Value): Retrieved;
}

/**
 * Joint attention (specification section 7): o = (1 - g) local + g memory, g = sigmoid(memory_bias) per head; two
 * separate softmaxes. A row whose bank is empty gets its local attention alone, and its gate no gradient.
 *
 * @param local Local attention [B, H, T, D].
 * @param queries Scaled queries q and unscaled ones, both [B, H, T, D].
 * @param memoryBias [H]
 * @returns [B, H, T, D]
 */
export function jointAttention(
  local: Value,
  queries: { q: Value; query: Value },
  memoryBias: Value,
  memory: MemoryReader,
): Value {
  const { graph } = local;
  const { bank } = memory;
  const retrieved = memory.retrieve(queries.query);
  const chunkBias = memory.missingChunks === "masked" ? emptyChunkBias(retrieved) : undefined;
  const remembered = memoryAttention(queries.q, {
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
