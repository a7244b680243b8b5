import type { Value } from "../graph.ts";
import { mul } from "./mul.ts";
import { sub } from "./sub.ts";

/** y = tanh x;  dx = dy (1 - y^2). */
export function tanh(x: Value): Value {
  const y: Value = x.graph.node({
    op: "Tanh",
    inputs: [x],
    outputs: [{ shape: x.shape, type: x.type }],
    gradient: ({ dy }) => [mul(dy, sub(x.graph.scalar(1), mul(y, y)))],
  });
  return y;
}
