import type { Value } from "../graph.ts";
import { mul } from "./mul.ts";

/** y = sum of x^2 over all elements, a scalar;  dx = 2 x dy. */
export function reduceSumSquare(x: Value): Value {
  const { graph } = x;
  return graph.node({
    op: "ReduceSumSquare",
    inputs: [x, graph.int64(x.shape.map((_, axis) => axis))],
    outputs: [{ shape: [], type: x.type }],
    attributes: { keepdims: 0 },
    gradient: ({ dy }) => [mul(mul(x, graph.scalar(2)), dy)],
  });
}
