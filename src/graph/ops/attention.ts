import { evenRanges } from "../even_ranges.ts";
import { dims, type Value } from "../graph.ts";
import { add } from "./add.ts";
import { type AttentionBlock, takeKeys, takeQueries, takeRows } from "../attention_block.ts";
import { concat } from "./concat.ts";
import { type DropoutMask, maskedBy } from "./dropout.ts";
import { matmul } from "./matmul.ts";
import { mul } from "./mul.ts";
import { pad } from "./pad.ts";
import { reduceSum } from "./reduce_sum.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";
import { softCap, softCapGradient } from "./soft_cap.ts";
import { softmax } from "./softmax.ts";
import { sub } from "./sub.ts";
import { transpose, transposeLast } from "./transpose.ts";

/** Options of causal attention. */
export interface AttentionOptions {
  /** Added to the scores of a block; shape broadcasts to [b1-b0, H, t1-t0, t1]. It must hide keys after the query. */
  bias(block: AttentionBlock): Value;
  /** Largest size of one block of scores, in bytes: chosen to stay in a CPU's cache, or to fit a GPU's binding. */
  blockBytes: number;
  /** Soft cap of the scores, before the bias; absent: they have none. */
  softCap?: number | undefined;
  /** Dropout on the probabilities. */
  dropout?: DropoutMask;
  /**
   * Segments of more queries are cut into blocks of at most so many, each computed by one node. It keeps no probabilities, so that
   * a gradient computes them once more. Absent, with a soft cap, and under dropout: several nodes compute a block.
   */
  fusedQueries?: number | undefined;
}

/**
 * The probabilities of causal attention, p = softmax(q k^T + bias), block by block.
 *
 * @param q Queries [B, H, T, D], already scaled.
 * @param k Keys [B, H, T, D].
 * @returns Blocks with their scores before the bias, and their probabilities [b1-b0, H, t1-t0, t1].
 */
export function attentionProbabilities(
  q: Value,
  k: Value,
  options: AttentionOptions,
): { block: AttentionBlock; scores: Value; probabilities: Value }[] {
  const { B, H, T, D } = dims(q, "B H T D");
  dims(k, "B H T D", { B, H, T, D });
  const kT = transposeLast(k); // [B, H, D, T]
  return attentionBlocks({ B, H, T, blockBytes: options.blockBytes }).map((block) => {
    const scores = softCap(matmul(takeQueries(q, block), takeKeys(kT, block, 3)), options.softCap);
    return { block, scores, probabilities: softmax(add(scores, options.bias(block))) };
  });
}

/**
 * Causal attention in blocks: with s = q k^T + bias and p = softmax(s),  o = p v;
 * dv = p^T do, ds = p (do v^T - sum(do o)), dq = ds k, dk = ds^T q. Keys after a block's last query are never touched. Of a soft
 * cap, ds is multiplied by its slope.
 *
 * @param q Queries [B, H, T, D], already scaled.
 * @param k Keys [B, H, T, D].
 * @param v Values [B, H, T, D].
 * @returns [B, H, T, D]
 */
export function attention(q: Value, k: Value, v: Value, options: AttentionOptions): Value {
  const { B, H, T, D } = dims(q, "B H T D");
  dims(v, "B H T D", { B, H, T, D });
  const { graph } = q;
  const { fusedQueries = Infinity } = options;
  const isFused = T > fusedQueries && !options.dropout && options.softCap === undefined;
  const kept = isFused ? undefined : attentionProbabilities(q, k, options);
  const o = kept
    ? joinBlocks(
      kept.map(({ block }) => block),
      kept.map(({ block, probabilities }) =>
        matmul(maskedBy(probabilities, options.dropout, block), takeKeys(v, block, 2))
      ),
    )
    : fusedAttention(q, k, v, { ...options, queries: fusedQueries });

  graph.derive([q, k, v], [o], ({ dy }) => {
    const parts = kept ?? attentionProbabilities(q, k, options);
    const blocks = parts.map(({ block }) => block);
    const vT = transposeLast(v);
    const delta = reduceSum(mul(dy, o), { axes: [-1], keep: true }); // [B, H, T, 1]
    const gradients = parts.map(({ block, scores, probabilities }) => {
      const dO = takeQueries(dy, block);
      const masked = (x: Value) => maskedBy(x, options.dropout, block, delta);
      const dP = masked(matmul(dO, takeKeys(vT, block, 3)));
      const ofCapped = mul(probabilities, sub(dP, takeQueries(delta, block)));
      const dS = softCapGradient(ofCapped, scores, options.softCap);
      // As [.., D, keys]: then the large factor is not transposed, and the sums over queries are transposed once.
      const after = { axis: 3, before: 0, after: T - block.t1 };
      return {
        dq: matmul(dS, takeKeys(k, block, 2)),
        dkT: pad(matmul(transposeLast(takeQueries(q, block)), dS), after),
        dvT: pad(matmul(transposeLast(dO), masked(probabilities)), after),
      };
    });
    const sumOverQueries = (name: "dkT" | "dvT") => {
      const rows = new Map<number, Value>();
      gradients.forEach((gradient, i) => {
        const sum = rows.get(blocks[i].b0);
        rows.set(blocks[i].b0, sum ? add(sum, gradient[name]) : gradient[name]);
      });
      return transposeLast(concat([...rows.values()], 0));
    };
    return [
      joinBlocks(blocks, gradients.map(({ dq }) => dq)),
      sumOverQueries("dkT"),
      sumOverQueries("dvT"),
    ];
  });
  return o;
}

/** Causal attention, a node of ONNX Runtime's own for each block. */
function fusedAttention(
  q: Value,
  k: Value,
  v: Value,
  { bias, blockBytes, queries }: Pick<AttentionOptions, "bias" | "blockBytes"> & {
    queries: number;
  },
): Value {
  const { B, H, T, D } = dims(q, "B H T D");
  // Blocks of all rows were faster than those of one up to four times the size that suits several nodes.
  const rows = 4 * B * H * queries * T <= 4 * blockBytes ? B : 1;
  const blocks = blocksOf({ B, T, rows, queries });
  const wide = reshape(transpose(q, [0, 2, 1, 3]), [B, T, H * D]);
  const outputs = blocks.map((block) => {
    const { b0, b1, t0, t1 } = block, sizes = [b1 - b0, t1 - t0];
    const o = q.graph.node({
      op: "MultiHeadAttention",
      domain: "com.microsoft",
      inputs: [
        slice(takeRows(wide, block), { axis: 1, start: t0, end: t1 }),
        takeKeys(k, block, 2),
        takeKeys(v, block, 2),
        undefined,
        undefined,
        bias(block),
      ],
      outputs: [{ shape: [...sizes, H * D], type: q.type }],
      attributes: { num_heads: H, scale: { float: 1 } },
    });
    return reshape(o, [...sizes, H, D]);
  });
  return transpose(joinBlocks(blocks, outputs, 1), [0, 2, 1, 3]);
}

/** Cuts the attention matrix so that the scores of a block stay within `blockBytes`, but not into slivers. */
export function attentionBlocks(
  options: { B: number; H: number; T: number; blockBytes: number },
): AttentionBlock[] {
  const { B, H, T, blockBytes } = options;
  const bytes = (b: number, t: number) => 4 * b * H * t * T;
  const rows = bytes(B, T) <= blockBytes ? B : 1;
  const fewest = Math.min(T, 64);
  const queries = Math.min(T, Math.max(fewest, Math.floor(blockBytes / bytes(rows, 1))));
  return blocksOf({ B, T, rows, queries });
}

/** Blocks of `rows` rows of the batch, which divide it, and at most `queries` queries. */
export function blocksOf(
  { B, T, rows, queries }: { B: number; T: number; rows: number; queries: number },
): AttentionBlock[] {
  const ranges = evenRanges(T, queries);
  return Array.from({ length: B / rows }, (_, i) => i * rows).flatMap((b0) =>
    ranges.map(({ start, end }) => ({ b0, b1: b0 + rows, t0: start, t1: end }))
  );
}

/** Joins the blocks' outputs [b, H, t, D] to [B, H, T, D]; or others, whose axis of time is another. */
export function joinBlocks(
  blocks: readonly AttentionBlock[],
  outputs: readonly Value[],
  timeAxis = 2,
): Value {
  const rows = new Map<number, Value[]>();
  blocks.forEach(({ b0 }, i) => rows.set(b0, [...(rows.get(b0) ?? []), outputs[i]]));
  return concat([...rows.values()].map((values) => concat(values, timeAxis)), 0);
}
