import type { Value } from "../graph.ts";
import { mul } from "./mul.ts";
import { sub } from "./sub.ts";

/** y = 1 / (1 + e^-x);  dx = dy y (1 - y). */
export function sigmoid(x: Value): Value {
  const y: Value = x.graph.node({
    op: "Sigmoid",
    inputs: [x],
    outputs: [{ shape: x.shape, type: x.type }],
    gradient: ({ dy }) => [mul(dy, mul(y, sub(x.graph.scalar(1), y)))],
  });
  return y;
}
