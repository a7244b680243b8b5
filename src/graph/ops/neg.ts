import type { Value } from "../graph.ts";

/** y = -x;  dx = -dy. */
export function neg(x: Value): Value {
  return x.graph.node({
    op: "Neg",
    inputs: [x],
    outputs: [{ shape: x.shape, type: x.type }],
    gradient: ({ dy }) => [neg(dy)],
  });
}
