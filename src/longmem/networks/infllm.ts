import type { AttentionHeads, BatchOptions } from "../../backbone/architecture.ts";
import { backboneForward } from "../../backbone/backbone_graph.ts";
import { takeKeys, takeQueries } from "../../graph/attention_block.ts";
import { dims, type Value } from "../../graph/graph.ts";
import { add } from "../../graph/ops/add.ts";
import { joinBlocks } from "../../graph/ops/attention.ts";
import { cast } from "../../graph/ops/cast.ts";
import { concat } from "../../graph/ops/concat.ts";
import { expand } from "../../graph/ops/expand.ts";
import { gather } from "../../graph/ops/gather.ts";
import { matmul } from "../../graph/ops/matmul.ts";
import { queryBlocks } from "../../graph/ops/memory_attention.ts";
import { repeatHeads } from "../../graph/ops/repeat_heads.ts";
import { reshape } from "../../graph/ops/reshape.ts";
import { slice } from "../../graph/ops/slice.ts";
import { softCap } from "../../graph/ops/soft_cap.ts";
import { softmax } from "../../graph/ops/softmax.ts";
import { transposeLast } from "../../graph/ops/transpose.ts";
import { emptyChunkBias } from "../../memory/memory_graph.ts";
import { blockPrefix, memoryReader, type NetworkKind, type NotedRetrieval } from "../network.ts";
import { memoryQueries, type MemoryReader } from "../joint_attention.ts";

/**
 * Attention of an InfLLM-like block memory (arXiv 2402.04617): every block of a frozen backbone caches keys and values of its
 * own, and attends to the segment and to the retrieved tokens in ONE softmax, without gate and without training. All retrieved
 * tokens stand at one distance before the query, regardless of their own.
 *
 * It differs from InfLLM where this project has one way for all memories: every token and head retrieves for itself (there:
 * a block of queries, all heads together), a chunk is represented by its mean key (there: by its tokens that attention chose),
 * the local context is the segment (there: a sliding window), no initial tokens are always attended to, and
 * the position is the backbone's: a bias of -m_h times the distance for ALiBi, a turned query for rotary positions, none for
 * learned ones. A row whose memory is empty has its local attention alone.
 * There is no gradient.
 *
 * @param heads Queries [B, H, T, D], keys and values [B, Hkv, T, D].
 * @param options `distanceTokens`: distance of all retrieved tokens.
 * @returns [B, H, T, D]
 */
export function blockMemoryAttention(
  heads: AttentionHeads,
  memory: MemoryReader,
  options: BatchOptions & { distanceTokens: number },
): Value {
  const { q, windowTokens, softCap: cap } = heads, { positions, distanceTokens } = options;
  const { B, H, T, D } = dims(q, "B H T D");
  const k = repeatHeads(heads.k, H), v = repeatHeads(heads.v, H);
  const { bank, blockBytes } = memory;
  const { query, scaledQuery } = memoryQueries(heads, distanceTokens);
  const retrieved = memory.retrieve(query);
  const [, , , n] = retrieved.ids.shape;
  const c = bank.keys.shape[1] / D, K = n * c;
  const chunkBias = emptyChunkBias(retrieved);
  const kT = transposeLast(k);
  const blocks = queryBlocks({ B, T, queryBytes: 4 * H * (T + K * D), blockBytes });
  const outputs = blocks.map((block) => {
    const { b0, b1, t0, t1 } = block;
    const size = (b1 - b0) * H * (t1 - t0);
    const ids = takeQueries(retrieved.ids, block);
    const gathered = (table: Value) => reshape(cast(gather(table, ids), "float32"), [size, K, D]);
    const local = add(
      softCap(matmul(takeQueries(q, block), takeKeys(kT, block, 3)), cap),
      positions.block(block, { windowTokens }),
    ); // [b, H, t, t1]
    const column = reshape(takeQueries(scaledQuery, block), [size, D, 1]);
    const ofEmpty = takeQueries(chunkBias, block); // [b, H, t, n]
    const bias = positions.atDistance
      ? add(ofEmpty, positions.atDistance(block, distanceTokens))
      : ofEmpty;
    const perToken = expand(reshape(bias, [size, n, 1]), [size, n, c]);
    const products = reshape(matmul(gathered(bank.keys), column), [b1 - b0, H, t1 - t0, K]);
    const far = add(
      softCap(products, cap),
      reshape(perToken, [b1 - b0, H, t1 - t0, K]),
    );
    const p = softmax(concat([local, far], 3)); // [b, H, t, t1+K]
    const ofPast = slice(p, { axis: 3, start: 0, end: t1 });
    const ofFar = reshape(slice(p, { axis: 3, start: t1, end: t1 + K }), [size, 1, K]);
    const remembered = matmul(ofFar, gathered(bank.values));
    return add(
      matmul(ofPast, takeKeys(v, block, 2)),
      reshape(remembered, [b1 - b0, H, t1 - t0, D]),
    );
  });
  return joinBlocks(blocks, outputs);
}

/** The frozen language model, each of whose blocks has a memory of its own, whose tokens stand `distanceTokens` before the query. */
export const infLlmNetwork: NetworkKind<{ readonly distanceTokens: number }> = {
  part: { lack: "the blocks have no memories" },
  memory: {
    blocks: (_part, { layers }) => Array.from({ length: layers }, (_, i) => i),
    several: true,
    unshared: "several blocks have one each",
  },
  followsCache: false,
  forward({ graph, tokens, frozen, part: { distanceTokens }, batch, options }) {
    const { backbone: shape, memory } = options;
    const retrieved: NotedRetrieval[] = [];
    const backbone = backboneForward(tokens, frozen, shape, {
      ...batch,
      attention(i, heads) {
        const reader = memoryReader(graph, memory!, options, { retrieved, prefix: blockPrefix(i) });
        return blockMemoryAttention(heads, reader, { ...batch, distanceTokens });
      },
    });
    return { backbone, cached: backbone.projections, retrieved };
  },
};
