import { evenRanges } from "../even_ranges.ts";
import { dims, type Value } from "../graph.ts";
import { add } from "./add.ts";
import { concat } from "./concat.ts";
import { following } from "./following.ts";
import { gather } from "./gather.ts";
import { linear } from "./linear.ts";
import { log } from "./log.ts";
import { matmul } from "./matmul.ts";
import { mul } from "./mul.ts";
import { reduceSum } from "./reduce_sum.ts";
import { reshape } from "./reshape.ts";
import { scatterAdd } from "./scatter_add.ts";
import { slice } from "./slice.ts";
import { softCap, softCapSlope } from "./soft_cap.ts";
import { softmax } from "./softmax.ts";
import { sub } from "./sub.ts";

/** A linear head: its logits are x W^T + b, or those after a soft cap. */
export interface LinearHead {
  /** [V, E] */
  readonly weight: Value;
  /** [V]; absent: 0. */
  readonly bias?: Value;
  /** Soft cap of the logits; absent: they have none. */
  readonly softCap?: number | undefined;
}

/** Logits of rows x [N, E]: [N, V]. */
export function headLogits(x: Value, { weight, bias, softCap: cap }: LinearHead): Value {
  return softCap(linear(x, weight, bias), cap);
}

/** Logits of some rows: those of all rows together may not fit a device's buffers. */
export interface LogitBlock {
  /** The rows, as `slice` takes them. */
  readonly range: { readonly axis: number; readonly start: number; readonly end: number };
  /** Their features [n, E]. */
  readonly features: Value;
  /** [n, V] */
  readonly logits: Value;
}

/**
 * Logits of a linear head, a block of rows at a time.
 *
 * @param x Features [N, E].
 * @param blockBytes Largest size of a block of logits, unless 32 rows are larger.
 */
export function logitBlocks(
  x: Value,
  head: LinearHead,
  blockBytes: number,
): LogitBlock[] {
  const { weight, bias } = head, { N, E } = dims(x, "N E");
  const { V } = dims(weight, "V E", { E });
  if (bias) dims(bias, "V", { V });
  const rows = Math.min(N, Math.max(32, Math.floor(blockBytes / (4 * V))));
  return evenRanges(N, rows).map((part) => {
    const range = { axis: 0, ...part };
    const features = slice(x, range);
    return { range, features, logits: headLogits(features, head) };
  });
}

/**
 * Cross-entropy of a linear head, a block of rows at a time: with l = log softmax(x W^T + b) and targets t,
 * y_i = -l_i[t_i];  p = e^l, dx_i = dy_i (p_i W - W[t_i]), dW = sum over i of dy_i (p_i - e(t_i)) x_i^T,
 * db = sum over i of dy_i (p_i - e(t_i)). The targets enter by gather and scatter: no one-hot matrix exists. Of a soft cap, p_i and
 * e(t_i) are multiplied by its slopes there.
 *
 * @param x Features [N, E].
 * @param head With targets int32 [N].
 * @param options blocks: the logits of x under this head, from `logitBlocks`; frozen: the head takes no gradient.
 * @returns Negative log-likelihoods in nats [N].
 */
export function crossEntropy(
  x: Value,
  head: LinearHead & { readonly targets: Value },
  options: { blocks: readonly LogitBlock[]; frozen: boolean },
): Value {
  const { weight, bias, softCap: cap, targets } = head;
  const { N, E } = dims(x, "N E");
  const { V } = dims(weight, "V E", { E });
  dims(targets, "N", { N });
  const { graph } = x;
  const blocks = options.blocks.map(({ range, features, logits }) => {
    const ids = slice(targets, range);
    const p = softmax(logits);
    // log p of the largest is at most log V below 0, so that log sum e^l = max l - log max p loses nothing.
    const logSum = sub(rowMaximum(logits), log(rowMaximum(p))); // [n, 1]
    return {
      range,
      features,
      ids,
      p,
      logits,
      nll: reshape(sub(logSum, targetLogits(logits, ids)), [p.shape[0]]),
    };
  });
  const nll = concat(blocks.map((block) => block.nll), 0);

  const trained = options.frozen ? [] : bias ? [weight, bias] : [weight];
  graph.derive([x, ...trained], [nll], ({ dy }) => {
    const parts = blocks.map(({ range, features, ids, p: probabilities, logits, nll }) => {
      const n = range.end - range.start;
      const slopes = cap === undefined ? undefined : softCapSlope(logits, cap);
      const dNll = slice(dy, range);
      // After the block's loss, so that its logits are needed no more.
      const column = reshape(blocks.length > 1 ? following(dNll, nll) : dNll, [n, 1]);
      const p = slopes ? mul(probabilities, slopes) : probabilities;
      const atTarget = (x: Value) => slopes ? mul(x, targetLogits(slopes, ids)) : x;
      return {
        dx: mul(sub(matmul(p, weight), atTarget(gather(weight, ids))), column),
        dWeight: (sum: Value | undefined) => {
          const weighted = mul(features, column);
          const positive = graph.node({
            op: "Gemm",
            inputs: sum ? [p, weighted, sum] : [p, weighted],
            outputs: [{ shape: [V, E], type: x.type }],
            attributes: { transA: 1 },
          });
          return sub(positive, scatterAdd(atTarget(weighted), ids, [V, E]));
        },
        dBias: () =>
          sub(
            reduceSum(mul(p, column), { axes: [0] }),
            scatterAdd(reshape(atTarget(column), [n]), ids, [V]),
          ),
      };
    });
    const dx = concat(parts.map((part) => part.dx), 0);
    if (options.frozen) return [dx];
    let dWeight: Value | undefined, dBias: Value | undefined;
    for (const part of parts) {
      dWeight = part.dWeight(dWeight);
      if (bias) dBias = dBias ? add(dBias, part.dBias()) : part.dBias();
    }
    return [dx, dWeight, dBias];
  });
  return nll;
}

/** Largest element of every row: [n, V] -> [n, 1]. */
function rowMaximum(x: Value): Value {
  return x.graph.node({
    op: "ReduceMax",
    inputs: [x, x.graph.int64([-1])],
    outputs: [{ shape: [x.shape[0], 1], type: x.type }],
    attributes: { keepdims: 1 },
  });
}

/** Element ids[i] of row i: [n, V], [n] -> [n, 1]. */
export function targetLogits(x: Value, ids: Value): Value {
  const [n] = ids.shape;
  return x.graph.node({
    op: "GatherElements",
    inputs: [x, reshape(ids, [n, 1])],
    outputs: [{ shape: [n, 1], type: x.type }],
    attributes: { axis: 1 },
  });
}
