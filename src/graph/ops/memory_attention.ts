import { dims, type Value } from "../graph.ts";
import { add } from "./add.ts";
import { type AttentionBlock, takeQueries } from "../attention_block.ts";
import { blocksOf, joinBlocks } from "./attention.ts";
import { cast } from "./cast.ts";
import { expand } from "./expand.ts";
import { following } from "./following.ts";
import { gather } from "./gather.ts";
import { matmul } from "./matmul.ts";
import { mul } from "./mul.ts";
import { reduceSum } from "./reduce_sum.ts";
import { reshape } from "./reshape.ts";
import { softCap, softCapGradient } from "./soft_cap.ts";
import { softmax } from "./softmax.ts";
import { sub } from "./sub.ts";

/** Inputs and options of attention over retrieved tokens. */
export interface MemoryAttentionOptions {
  /** Chosen rows of the tables for every query: int32 [B, H, T, n]. */
  readonly ids: Value;
  /** Keys, c tokens a row: [R, c*D]; float32 or float16. */
  readonly keys: Value;
  /** Values, likewise. */
  readonly values: Value;
  /** Added to the scores of every token of a chunk [B, H, T, n]: very negative where a chunk does not count. */
  readonly chunkBias?: Value | undefined;
  /** Soft cap of the scores, before the bias; absent: they have none. */
  readonly softCap?: number | undefined;
  /** Largest size of the gathered keys of one block, in bytes. */
  readonly blockBytes: number;
  /** Takes note of the weights p of the tokens [B, H, T, K], where they are asked for. */
  readonly note?: (weights: Value) => void;
}

/**
 * Attention of every query over tokens of its own, K = n c of them, in blocks of queries: with the gathered
 * kr, vr [K, D] of a query, s = kr q + bias, p = softmax(s),  o = vr^T p;
 * ds = p (vr do - sum(do o)), of a soft cap times its slope, dq = kr^T ds. Keys, values and ids take no gradient: memory is frozen.
 * The gradient gathers again, so that no more than a block of [.., K, D] exists at a time.
 *
 * @param q Queries [B, H, T, D], already scaled.
 * @returns [B, H, T, D]
 */
export function memoryAttention(q: Value, options: MemoryAttentionOptions): Value {
  const { ids, keys, values, chunkBias, softCap: cap } = options;
  const { B, H, T, D } = dims(q, "B H T D");
  const { n } = dims(ids, "B H T n", { B, H, T });
  const { width } = dims(keys, "R width");
  dims(values, "R width", { width });
  const K = n * width / D, c = width / D;
  const { graph } = q;
  const blocks = queryBlocks({ B, T, queryBytes: 4 * H * K * D, blockBytes: options.blockBytes });
  type Block = AttentionBlock;
  const size = ({ b0, b1, t0, t1 }: Block) => (b1 - b0) * H * (t1 - t0);
  const gathered = (table: Value, block: Block, chosen = takeQueries(ids, block)) =>
    reshape(cast(gather(table, chosen), "float32"), [size(block), K, D]);
  const column = (x: Value, block: Block) =>
    reshape(takeQueries(x, block), [size(block), x.shape[3], 1]);
  const back = (x: Value, { b0, b1, t0, t1 }: Block) => reshape(x, [b1 - b0, H, t1 - t0, D]);

  const scores = blocks.map((block) => {
    const products = matmul(gathered(keys, block), column(q, block));
    return softCap(reshape(products, [size(block), 1, K]), cap);
  });
  const probabilities = blocks.map((block, i) => {
    if (!chunkBias) return softmax(scores[i]);
    const perToken = expand(column(chunkBias, block), [size(block), n, c]);
    return softmax(add(scores[i], reshape(perToken, [size(block), 1, K])));
  });
  const outputs = blocks.map((block, i) =>
    back(matmul(probabilities[i], gathered(values, block)), block)
  );
  const o = joinBlocks(blocks, outputs);
  options.note?.(joinBlocks(
    blocks,
    blocks.map(({ b0, b1, t0, t1 }, i) => reshape(probabilities[i], [b1 - b0, H, t1 - t0, K])),
  ));

  graph.derive([q], [o], ({ dy }) => {
    const delta = reduceSum(mul(dy, o), { axes: [-1], keep: true }); // [B, H, T, 1]
    const dqs = blocks.map((block, i) => {
      // The engine would take the same ids for the same gather, and hold what it has found for this.
      const again = following(takeQueries(ids, block), takeQueries(delta, block));
      const dP = reshape(
        matmul(gathered(values, block, again), column(dy, block)),
        [size(block), 1, K],
      );
      const ofCapped = mul(probabilities[i], sub(dP, column(delta, block)));
      const dS = softCapGradient(ofCapped, scores[i], cap);
      return back(matmul(dS, gathered(keys, block, again)), block);
    });
    return [joinBlocks(blocks, dqs)];
  });
  return o;
}

/** Cuts the queries of a batch so that the tensors gathered for a block, `queryBytes` a query, stay within `blockBytes`. */
export function queryBlocks(
  options: { B: number; T: number; queryBytes: number; blockBytes: number },
): AttentionBlock[] {
  const { B, T, queryBytes, blockBytes } = options;
  const queries = Math.max(1, Math.min(T, Math.floor(blockBytes / queryBytes)));
  const rows = queryBytes * B * T <= blockBytes ? B : 1;
  return blocksOf({ B, T, rows, queries });
}
