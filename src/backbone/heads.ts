/** The heads of a block's attention. */
import type { AttentionBlock } from "../graph/attention_block.ts";
import type { Value } from "../graph/graph.ts";
import { attention } from "../graph/ops/attention.ts";
import { cachedAttention } from "../graph/ops/cached_attention.ts";
import type { DropoutMask } from "../graph/ops/dropout.ts";
import { repeatHeads } from "../graph/ops/repeat_heads.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { transpose } from "../graph/ops/transpose.ts";
import type { AttentionHeads, BatchOptions, Visibility } from "./architecture.ts";

/**
 * Attention to the segment alone.
 *
 * @param options `layer`: its name in a cache; `mask`: dropout on its probabilities; `padsVisible`: as {@linkcode Visibility} has it.
 * @returns [B, H, T, D]
 */
export function localAttention(
  { q, k, v, windowTokens, softCap }: Pick<
    AttentionHeads,
    "q" | "k" | "v" | "windowTokens" | "softCap"
  >,
  batch: BatchOptions,
  options: Pick<Visibility, "padsVisible"> & { layer: string; mask?: DropoutMask | undefined },
): Value {
  const { layer, mask, padsVisible } = options;
  const bias = (block: AttentionBlock) =>
    batch.positions.block(block, { windowTokens, padsVisible });
  if (batch.cache) {
    const whole = { b0: 0, b1: batch.rows, t0: 0, t1: 1 };
    return cachedAttention(q, { k, v }, { cache: batch.cache(layer), bias: bias(whole), softCap });
  }
  const [, H] = q.shape;
  return attention(q, repeatHeads(k, H), repeatHeads(v, H), {
    bias,
    softCap,
    blockBytes: batch.blockBytes,
    fusedQueries: batch.fusedQueries,
    ...(mask ? { dropout: mask } : {}),
  });
}

/** [N, H*D] -> [B, H, T, D] */
export function splitHeads(
  x: Value,
  batch: { rows: number; contextTokens: number },
  heads: number,
): Value {
  const { rows: B, contextTokens: T } = batch;
  return transpose(reshape(x, [B, T, heads, x.shape[1] / heads]), [0, 2, 1, 3]);
}

/** [B, H, T, D] -> [N, H*D] */
export function mergeHeads(x: Value): Value {
  const [B, H, T, D] = x.shape;
  return reshape(transpose(x, [0, 2, 1, 3]), [B * T, H * D]);
}
