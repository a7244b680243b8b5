import { dims, type Value } from "../graph.ts";
import { add } from "./add.ts";
import { concat } from "./concat.ts";
import { gather } from "./gather.ts";
import { linear } from "./linear.ts";
import { log } from "./log.ts";
import { matmul } from "./matmul.ts";
import { mul } from "./mul.ts";
import { reduceSum } from "./reduce_sum.ts";
import { reshape } from "./reshape.ts";
import { scatterAdd } from "./scatter_add.ts";
import { slice } from "./slice.ts";
import { softmax } from "./softmax.ts";
import { sub } from "./sub.ts";

/**
 * Cross-entropy of a linear head, a block of rows at a time: with l = log softmax(x W^T + b) and targets t,
 * y_i = -l_i[t_i];  p = e^l, dx_i = dy_i (p_i W - W[t_i]), dW = sum over i of dy_i (p_i - e(t_i)) x_i^T,
 * db = sum over i of dy_i (p_i - e(t_i)). The targets enter by gather and scatter: no one-hot matrix exists.
 *
 * @param x Features [N, E].
 * @param weight [V, E]
 * @param bias [V]
 * @param targets int32 [N]
 * @param options blockBytes: largest size of a block of logits; frozen: the head takes no gradient.
 * @returns Negative log-likelihoods in nats [N].
 */
export function crossEntropy(
  x: Value,
  head: { weight: Value; bias: Value; targets: Value },
  options: { blockBytes: number; frozen: boolean },
): Value {
  const { weight, bias, targets } = head;
  const { N, E } = dims(x, "N E");
  const { V } = dims(weight, "V E", { E });
  dims(bias, "V", { V });
  dims(targets, "N", { N });
  const { graph } = x;
  const rows = Math.min(N, Math.max(32, Math.floor(options.blockBytes / (4 * V))));
  const count = Math.ceil(N / rows);
  const blocks = Array.from({ length: count }, (_, i) => {
    const range = {
      axis: 0,
      start: Math.floor(i * N / count),
      end: Math.floor((i + 1) * N / count),
    };
    const features = slice(x, range), ids = slice(targets, range);
    const logits = linear(features, weight, bias); // [n, V]
    const p = softmax(logits);
    // log p of the largest is at most log V below 0, so that log sum e^l = max l - log max p loses nothing.
    const logSum = sub(rowMaximum(logits), log(rowMaximum(p))); // [n, 1]
    return {
      range,
      features,
      ids,
      p,
      nll: reshape(sub(logSum, chosen(logits, ids)), [p.shape[0]]),
    };
  });
  const nll = concat(blocks.map((block) => block.nll), 0);

  graph.derive(options.frozen ? [x] : [x, weight, bias], [nll], ({ dy }) => {
    const parts = blocks.map(({ range, features, ids, p }) => {
      const n = range.end - range.start;
      const dys = slice(dy, range), column = reshape(dys, [n, 1]);
      return {
        dx: mul(sub(matmul(p, weight), gather(weight, ids)), column),
        dWeight: (sum: Value | undefined) => {
          const weighted = mul(features, column);
          const positive = graph.node({
            op: "Gemm",
            inputs: sum ? [p, weighted, sum] : [p, weighted],
            outputs: [{ shape: [V, E], type: x.type }],
            attributes: { transA: 1 },
          });
          return sub(positive, scatterAdd(weighted, ids, [V, E]));
        },
        dBias: () => sub(reduceSum(mul(p, column), { axes: [0] }), scatterAdd(dys, ids, [V])),
      };
    });
    const dx = concat(parts.map((part) => part.dx), 0);
    if (options.frozen) return [dx];
    let dWeight: Value | undefined, dBias: Value | undefined;
    for (const part of parts) {
      dWeight = part.dWeight(dWeight);
      dBias = dBias ? add(dBias, part.dBias()) : part.dBias();
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
function chosen(x: Value, ids: Value): Value {
  const [n] = ids.shape;
  return x.graph.node({
    op: "GatherElements",
    inputs: [x, reshape(ids, [n, 1])],
    outputs: [{ shape: [n, 1], type: x.type }],
    attributes: { axis: 1 },
  });
}
