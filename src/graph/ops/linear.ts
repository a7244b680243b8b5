import { dims, type Value } from "../graph.ts";
import { matmul } from "./matmul.ts";
import { reduceSum } from "./reduce_sum.ts";

/**
 * y[N, O] = x[N, I] W[O, I]^T + b[O];
 * dx = dy W, dW = dy^T x, db = sum over rows of dy.
 */
export function linear(x: Value, weight: Value, bias?: Value): Value {
  const { N, I } = dims(x, "N I");
  const { O } = dims(weight, "O I", { I });
  if (bias) dims(bias, "O", { O });
  return x.graph.node({
    op: "Gemm",
    inputs: [x, weight, bias],
    outputs: [{ shape: [N, O], type: x.type }],
    attributes: { transB: 1 },
    gradient: ({ dy }) => [
      matmul(dy, weight),
      x.graph.node({
        op: "Gemm",
        inputs: [dy, x],
        outputs: [{ shape: [O, I], type: x.type }],
        attributes: { transA: 1 },
      }),
      bias && reduceSum(dy, { axes: [0] }),
    ],
  });
}
