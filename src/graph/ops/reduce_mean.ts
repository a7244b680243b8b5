import type { Value } from "../graph.ts";
import { expand } from "./expand.ts";
import { mul } from "./mul.ts";

/** y = mean of x over the last axis, which stays with size 1;  dx = dy / size, repeated. */
export function reduceMean(x: Value): Value {
  const size = x.shape[x.rank - 1];
  return x.graph.node({
    op: "ReduceMean",
    inputs: [x, x.graph.int64([-1])],
    outputs: [{ shape: [...x.shape.slice(0, -1), 1], type: x.type }],
    attributes: { keepdims: 1 },
    gradient: ({ dy }) => [expand(mul(dy, x.graph.scalar(1 / size)), x.shape)],
  });
}
