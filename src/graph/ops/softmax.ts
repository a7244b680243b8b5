import type { Value } from "../graph.ts";
import { mul } from "./mul.ts";
import { reduceSum } from "./reduce_sum.ts";
import { sub } from "./sub.ts";

/** Softmax over the last axis: y = exp(x - max x) / sum(exp(x - max x));  dx = y (dy - sum(dy y)). */
export function softmax(x: Value): Value {
  const y: Value = x.graph.node({
    op: "Softmax",
    inputs: [x],
    outputs: [{ shape: x.shape, type: x.type }],
    attributes: { axis: -1 },
    gradient: ({ dy }) => [mul(y, sub(dy, reduceSum(mul(dy, y), { axes: [-1], keep: true })))],
  });
  return y;
}
