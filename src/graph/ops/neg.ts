import type { Value } from "../graph.ts";

/** y = -x;  dx = -dy. */
export function neg(x: Value): Value {
  const y: Value = x.graph.node({
    op: "Neg",
    inputs: [x],
    outputs: [{ shape: x.shape, type: x.type }],
    gradient: ({ dy }) => [neg(dy)],
  });
  return y;
}
