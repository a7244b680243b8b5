import type { Value } from "./graph.ts";

/** A node of one input whose output y has its shape; gradients pass as `gradient` says, or stop here. */
export function unary(op: string, x: Value, gradient?: (dy: Value, y: Value) => Value): Value {
  const y: Value = x.graph.node({
    op,
    inputs: [x],
    outputs: [{ shape: x.shape, type: x.type }],
    ...(gradient && { gradient: ({ dy }) => [gradient(dy, y)] }),
  });
  return y;
}
